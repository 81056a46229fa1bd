// What the Node checks share: running named checks, starting the two programs,
// and speaking frames over a bare socket.
'use strict';

const assert = require('node:assert/strict');
const { spawn } = require('node:child_process');
const crypto = require('node:crypto');
const net = require('node:net');

// ---- checks ----

const checks = [];
const children = new Set();
process.on('exit', () => children.forEach((child) => child.kill('SIGKILL')));

/** Registers a check: `body` gets a `Scope` and may take `seconds`. */
function check(name, body, seconds = 15) {
  checks.push({ name, body, seconds });
}

/** Runs what `check` registered, printing `1..N` and a line for each. */
async function runChecks() {
  console.log(`1..${checks.length}`);
  let failed = 0;
  for (const { name, body, seconds } of checks) {
    const scope = new Scope();
    process.removeAllListeners('uncaughtException');
    process.on('uncaughtException', scope.fail);
    let why;
    try {
      const late = sleep(seconds * 1000, scope).then(() => {
        throw new Error(`not over after ${seconds} s`);
      });
      await Promise.race([body(scope), scope.failure, late]);
    } catch (error) {
      why = error;
    }
    try {
      await scope.end();
    } catch (error) {
      why ??= error;
    }
    if (why === undefined) {
      console.log(`ok - ${name}`);
    } else {
      failed += 1;
      console.log(`not ok - ${name}: ${oneLine(why)}`);
    }
  }
  process.exit(failed > 0 ? 1 : 0);
}

function oneLine(error) {
  const text = (error instanceof Error ? error.message || error.code : undefined) ?? String(error);
  return text.replace(/\s+/g, ' ').trim().slice(0, 600);
}

function sleep(ms, scope) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    if (scope) scope.after(() => clearTimeout(timer));
  });
}

/** What one check started; all of it is gone when the check is over. */
class Scope {
  constructor() {
    this.cleanups = [];
    this.failure = new Promise((_, reject) => { this.fail = reject; });
    this.failure.catch(() => {});
  }

  after(cleanup) {
    this.cleanups.push(cleanup);
  }

  async end() {
    for (const cleanup of this.cleanups.reverse()) await cleanup();
  }

  /** Starts a program; `stdin` is a string, `undefined` for none, or 'open'. */
  spawn(command, args, stdin) {
    const child = spawn(command, args, {
      stdio: [stdin === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    });
    children.add(child);
    const process = { child, stdout: '', stderr: '' };
    child.stdout.setEncoding('utf8').on('data', (text) => { process.stdout += text; });
    child.stderr.setEncoding('utf8').on('data', (text) => { process.stderr += text; });
    process.exited = new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code, signal) => {
        children.delete(child);
        resolve({ code: code ?? signal, stdout: process.stdout, stderr: process.stderr });
      });
    });
    process.exited.catch(() => {});
    this.after(() => {
      child.kill('SIGKILL');
      return process.exited.catch(() => {});
    });
    if (stdin !== undefined) {
      child.stdin.on('error', () => {});
      if (stdin !== 'open') child.stdin.end(stdin);
    }
    return process;
  }

  /** Starts `echo_server` on a free port and waits until it listens. */
  echoServer(...args) {
    return this.server('echo_server', process.env.ECHO_SERVER, [
      '--adapter', process.env.ECHO_SERVER_ADAPTER, '--addr', '127.0.0.1:0', ...args,
    ]);
  }

  /** The same with TLS, by the name `localhost`. */
  async tlsEchoServer(...args) {
    const server = await this.echoServer(
      '--cert', process.env.TLS_CERT, '--key', process.env.TLS_KEY, ...args,
    );
    server.url = `wss://localhost:${server.port}/`;
    server.origin = `https://localhost:${server.port}`;
    return server;
  }

  /** Starts `axum_server` on a free port and waits until it listens. */
  async axumServer() {
    const server = await this.server('axum_server', process.env.AXUM_SERVER, ['127.0.0.1:0']);
    server.url += 'chat';
    return server;
  }

  async server(name, command, args) {
    const server = this.spawn(command, args);
    const listening = new Promise((resolve) => {
      server.child.stdout.on('data', () => {
        const found = /127\.0\.0\.1:(\d+)[^\n]*\n/.exec(server.stdout);
        if (found) resolve(Number(found[1]));
      });
    });
    const ended = server.exited.then(({ code, stderr }) => {
      throw new Error(`${name} ended with ${code} before it listened: ${stderr}`);
    });
    const late = sleep(10000, this).then(() => {
      throw new Error(`${name} printed no address in 10 s`);
    });
    server.port = await Promise.race([listening, ended, late]);
    server.url = `ws://127.0.0.1:${server.port}/`;
    server.origin = `http://127.0.0.1:${server.port}`;
    return server;
  }

  /** Runs `wscat` and resolves to its `{ code, stdout, stderr }`. */
  wscat(args, stdin) {
    return this.spawn(process.env.WSCAT, args, stdin).exited;
  }

  /** A TCP server on a free port; resolves to the port. */
  async tcpServer(onConnection) {
    const sockets = new Set();
    const server = net.createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => {});
      Promise.resolve(onConnection(socket)).catch(this.fail);
    });
    this.after(() => {
      sockets.forEach((socket) => socket.destroy());
      server.close();
    });
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    return server.address().port;
  }
}

// ---- what passes between a client and a server ----

/** A proxy before `port` that records what passes: for `webSocket`. */
class Tap {
  static async before(scope, port) {
    const tap = new Tap();
    tap.connections = [];
    tap.port = await scope.tcpServer((client) => {
      const server = net.connect(port, '127.0.0.1');
      scope.after(() => server.destroy());
      const connection = { sent: [], received: [] };
      tap.connections.push(connection);
      for (const [from, to, record] of [
        [client, server, connection.sent], [server, client, connection.received],
      ]) {
        from.on('data', (chunk) => {
          record.push(chunk);
          to.write(chunk);
        });
        from.on('end', () => to.end());
        from.on('error', () => to.destroy());
        from.on('close', () => to.destroy());
      }
    });
    tap.url = `ws://127.0.0.1:${tap.port}/`;
    tap.origin = `http://127.0.0.1:${tap.port}`;
    return tap;
  }

  /** The last WebSocket that was opened: what each side said of extensions, and its frames. */
  webSocket() {
    const both = this.connections
      .map(({ sent, received }) => [sent, received].map((chunks) => recorded(Buffer.concat(chunks))));
    const [sent, received] = both.findLast(([, { head }]) => head.startsWith('HTTP/1.1 101'));
    return { sent, received };
  }
}

/** A head, what it says of extensions, and the frames behind it. */
function recorded(bytes) {
  const end = bytes.indexOf('\r\n\r\n') + 4;
  const head = bytes.subarray(0, end).toString('latin1');
  const extensions = /^sec-websocket-extensions: *(.*)$/im.exec(head)?.[1].trim();
  const frames = [];
  for (let at = end; at + 2 <= bytes.length;) {
    let length = bytes[at + 1] & 0x7f;
    let size = 2;
    if (length === 126) {
      length = bytes.readUInt16BE(at + 2);
      size = 4;
    } else if (length === 127) {
      length = Number(bytes.readBigUInt64BE(at + 2));
      size = 10;
    }
    if (bytes[at + 1] & 0x80) size += 4;
    frames.push({ rsv: (bytes[at] >> 4) & 7, opcode: bytes[at] & 0xf, length });
    at += size + length;
  }
  return { head, extensions, frames: frames.filter(({ opcode }) => opcode < 8) };
}

/** Insists that permessage-deflate was negotiated, or was not. */
function negotiated({ sent, received }, is) {
  assert.match(sent.extensions ?? '', /permessage-deflate/, 'the offer');
  if (is) assert.match(received.extensions ?? '', /^permessage-deflate/, 'the answer');
  else assert.equal(received.extensions, undefined, 'the answer');
}

/** Insists that a message, the only one of its type, was compressed to less than `most` bytes. */
function compressed({ frames }, opcode, most, label) {
  const first = frames.findIndex((frame) => frame.opcode === opcode);
  assert.ok(first >= 0, `${label}: no such message`);
  assert.equal(frames[first].rsv, 4, `${label}: RSV1`);
  let length = frames[first].length;
  for (const { opcode: next, rsv, length: more } of frames.slice(first + 1)) {
    if (next !== 0) break;
    assert.equal(rsv, 0, `${label}: the reserved bits of a continuation`);
    length += more;
  }
  assert.ok(length < most, `${label}: ${length} bytes on the wire`);
}

/** A mebibyte of text as services send it, in one line. */
function json() {
  const records = [];
  for (let id = 0; records.length < 20000; id += 1) {
    records.push(JSON.stringify({ id, name: `user ${id}`, active: id % 3 === 0, tags: ['a', 'é'] }));
  }
  return `[${records.join(',')}]`.slice(0, 1 << 20);
}

// ---- values that arrive over time ----

/** Values in the order they came; `next()` waits, and rejects once ended. */
class Queue {
  constructor() {
    this.values = [];
    this.wake = () => {};
  }

  push(value) {
    this.values.push(value);
    this.wake();
  }

  end(why) {
    this.ended ??= why;
    this.wake();
  }

  async next() {
    while (this.values.length === 0) {
      if (this.ended !== undefined) throw new Error(this.ended);
      await new Promise((resolve) => { this.wake = resolve; });
    }
    return this.values.shift();
  }
}

/** Opens a `ws` client with `messages`, `pongs` and a promise `closed`. */
async function connect(scope, url, protocols = [], options = {}) {
  const WebSocket = require('ws');
  const ws = new WebSocket(url, protocols, { perMessageDeflate: false, ...options });
  scope.after(() => ws.terminate());
  ws.messages = new Queue();
  ws.pongs = new Queue();
  ws.on('message', (data, isBinary) => ws.messages.push({ data, isBinary }));
  ws.on('pong', (data) => ws.pongs.push(data));
  ws.closed = new Promise((resolve) => {
    ws.on('close', (code, reason) => {
      const why = `closed with ${code} '${reason}'`;
      ws.messages.end(why);
      ws.pongs.end(why);
      resolve({ code, reason: reason.toString() });
    });
  });
  await new Promise((resolve, reject) => {
    ws.on('open', resolve);
    ws.on('error', reject);
  });
  return ws;
}

/** Sends `data` and insists that the next message is the same. */
async function echoes(ws, data, label = 'the message') {
  ws.send(data);
  sameMessage(await ws.messages.next(), data, label);
}

function sameMessage(message, data, label) {
  const isBinary = typeof data !== 'string';
  assert.equal(message.isBinary, isBinary, `${label} came back as ${isBinary ? 'text' : 'binary'}`);
  sameBytes(message.data, Buffer.from(data), label);
}

function sameBytes(actual, expected, label) {
  assert.ok(
    Buffer.compare(actual, expected) === 0,
    `${label}: ${expected.length} bytes expected, ${actual.length} came ${shown(actual)}`,
  );
}

function shown(bytes) {
  return bytes.length > 64 ? 'and differ' : JSON.stringify(bytes.toString('latin1'));
}

// ---- a bare socket ----

/** Reads a socket by length or up to a blank line. */
class Stream {
  constructor(socket) {
    this.socket = socket;
    this.buffer = Buffer.alloc(0);
    this.chunks = new Queue();
    socket.on('data', (chunk) => this.chunks.push(chunk));
    socket.on('error', (error) => this.chunks.end(`the connection failed: ${error.code}`));
    this.closed = new Promise((resolve) => {
      socket.on('close', () => {
        this.chunks.end('the connection ended');
        resolve();
      });
    });
  }

  async more() {
    this.buffer = Buffer.concat([this.buffer, await this.chunks.next()]);
  }

  take(length) {
    const taken = this.buffer.subarray(0, length);
    this.buffer = this.buffer.subarray(length);
    return taken;
  }

  async read(length) {
    while (this.buffer.length < length) await this.more();
    return this.take(length);
  }

  /** A request or status line with its headers (names in lower case). */
  async head() {
    let end;
    while ((end = this.buffer.indexOf('\r\n\r\n')) < 0) await this.more();
    const [first, ...lines] = this.take(end + 4).toString('latin1').trim().split('\r\n');
    const headers = {};
    for (const line of lines) {
      const colon = line.indexOf(':');
      headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
    }
    return { first, headers };
  }

  async frame() {
    const [first, second] = await this.read(2);
    let length = second & 0x7f;
    if (length === 126) length = (await this.read(2)).readUInt16BE();
    else if (length === 127) length = Number((await this.read(8)).readBigUInt64BE());
    const masked = (second & 0x80) !== 0;
    const mask = masked ? await this.read(4) : undefined;
    const payload = Buffer.from(await this.read(length));
    if (mask) for (let i = 0; i < length; i += 1) payload[i] ^= mask[i % 4];
    return { fin: (first & 0x80) !== 0, rsv: (first >> 4) & 7, opcode: first & 0xf, masked, payload };
  }

  /** The next close frame, passing over other frames. */
  async close() {
    for (;;) {
      const frame = await this.frame();
      if (frame.opcode === 8) {
        return {
          masked: frame.masked,
          code: frame.payload.length < 2 ? 1005 : frame.payload.readUInt16BE(),
          reason: frame.payload.subarray(2).toString(),
        };
      }
    }
  }
}

/** The bytes of one frame; `masked` as a client sends it, unless told. */
function frame(opcode, payload = '', { fin = true, rsv = 0, masked = true } = {}) {
  const body = Buffer.from(payload);
  const head = [(fin ? 0x80 : 0) | (rsv << 4) | opcode];
  const bit = masked ? 0x80 : 0;
  if (body.length < 126) head.push(bit | body.length);
  else if (body.length < 65536) head.push(bit | 126, body.length >> 8, body.length & 0xff);
  else throw new Error('a frame this long is not needed here');
  if (!masked) return Buffer.concat([Buffer.from(head), body]);
  const mask = crypto.randomBytes(4);
  return Buffer.concat([Buffer.from(head), mask, body.map((byte, i) => byte ^ mask[i % 4])]);
}

async function connectRaw(scope, port) {
  const socket = net.connect(port, '127.0.0.1');
  socket.setNoDelay(true);
  scope.after(() => socket.destroy());
  const stream = new Stream(socket);
  await new Promise((resolve, reject) => {
    socket.on('connect', resolve);
    socket.on('error', reject);
  });
  return stream;
}

const SAMPLE_KEY = 'dGhlIHNhbXBsZSBub25jZQ==';

function acceptFor(key) {
  const guid = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
  return crypto.createHash('sha1').update(key + guid).digest('base64');
}

/** The bytes of a good opening handshake to `port`. */
function handshake(port) {
  return [
    'GET / HTTP/1.1',
    `Host: 127.0.0.1:${port}`,
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Key: ${SAMPLE_KEY}`,
    'Sec-WebSocket-Version: 13',
    '\r\n',
  ].join('\r\n');
}

/** A bare socket on which the opening handshake is done. */
async function openRaw(scope, port) {
  const stream = await connectRaw(scope, port);
  stream.socket.write(handshake(port));
  const { first } = await stream.head();
  assert.match(first, /^HTTP\/1\.1 101 /);
  return stream;
}

module.exports = {
  assert, check, runChecks, sleep,
  Queue, Tap, negotiated, compressed, json, connect, echoes, sameBytes, sameMessage,
  Stream, frame, connectRaw, openRaw, handshake, acceptFor, SAMPLE_KEY,
};
