// wscat against a server of the `ws` package and against bare sockets.
'use strict';

const net = require('node:net');
const {
  assert, check, runChecks, sleep, Queue, Stream, frame, acceptFor,
} = require('./lib.js');

const cat = 'wscat, node ws server';

/**
 * A `ws` server; `onConnection(ws, request)` sees each connection. Its `closes`
 * has the code and reason of each as the server saw it.
 */
async function serve(t, onConnection, options = {}) {
  const { WebSocketServer } = require('ws');
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, ...options });
  t.after(() => {
    server.clients.forEach((ws) => ws.terminate());
    server.close();
  });
  server.closes = new Queue();
  server.on('connection', (ws, request) => {
    ws.on('error', () => {});
    ws.on('close', (code, reason) => server.closes.push({ code, reason: reason.toString() }));
    onConnection(ws, request);
  });
  await new Promise((resolve) => server.on('listening', resolve));
  server.url = `ws://127.0.0.1:${server.address().port}/`;
  return server;
}

function echo(ws) {
  ws.on('message', (data, isBinary) => ws.send(data, { binary: isBinary }));
}

/** A server that does the handshake by hand and leaves the rest to `then`. */
function serveRaw(t, then, accept = acceptFor) {
  return t.tcpServer(async (socket) => {
    const stream = new Stream(socket);
    const { headers } = await stream.head();
    socket.write([
      'HTTP/1.1 101 Switching Protocols',
      'Upgrade: websocket',
      'Connection: Upgrade',
      `Sec-WebSocket-Accept: ${accept(headers['sec-websocket-key'])}`,
      '\r\n',
    ].join('\r\n'));
    await then(stream);
  });
}

/** Insists on an exit status, and shows what wscat said when it differs. */
function exits(result, code) {
  assert.equal(result.code, code, `exit status ${result.code}, not ${code}; stderr: ${result.stderr}`);
}

check(`${cat}: --send with --count prints the replies, closes with 1000 and exits 0`, async (t) => {
  const server = await serve(t, echo);
  const result = await t.wscat([server.url, '--send', 'one', '--send', 'héllo ✓', '--count', '2']);
  exits(result, 0);
  assert.equal(result.stdout, 'one\nhéllo ✓\n');
  assert.equal((await server.closes.next()).code, 1000);
});

check(`${cat}: --count 1 prints one message even when two arrive together`, async (t) => {
  const server = await serve(t, (ws) => ['1', '2'].forEach((text) => ws.send(text)));
  const result = await t.wscat([server.url, '--send', 'go', '--count', '1']);
  exits(result, 0);
  assert.equal(result.stdout, '1\n');
  assert.equal((await server.closes.next()).code, 1000);
});

check(`${cat}: with -v and --ping-interval it tells what passes and how long pings take`, async (t) => {
  const server = await serve(t, echo);
  const cat = t.spawn(process.env.WSCAT, [server.url, '-v', '--ping-interval', '1'], 'open');
  cat.child.stdin.write('one\n');
  while (!/^round trip .*s$/m.test(cat.stderr)) await sleep(20, t);
  cat.child.stdin.end();
  const result = await cat.exited;
  exits(result, 0);
  assert.equal(result.stdout, 'one\n');
  for (const line of [/^> GET ws:/m, /^< upgrade: websocket$/im, /^> text, 3 bytes$/m, /^< text, 3 bytes$/m, /^< pong/m, /^closed: 1000/m]) {
    assert.match(result.stderr, line);
  }
});

check(`${cat}: stdin's lines are sent and their replies printed`, async (t) => {
  const seen = [];
  const server = await serve(t, (ws) => {
    ws.on('message', (data, isBinary) => seen.push([data.toString(), isBinary]));
    echo(ws);
  });
  const result = await t.wscat([server.url], 'one\ntwo words\nhéllo ✓\n');
  exits(result, 0);
  assert.equal(result.stdout, 'one\ntwo words\nhéllo ✓\n');
  assert.deepEqual(seen, [['one', false], ['two words', false], ['héllo ✓', false]]);
  assert.equal((await server.closes.next()).code, 1000);
});

check('wscat: more input than anything buffers comes back from echo_server, and in order', async (t) => {
  const server = await t.echoServer();
  const lines = Array.from({ length: 2000 }, (_, i) => `${i} ${'x'.repeat(10000)}\n`).join('');
  const result = await t.wscat([server.url], lines);
  exits(result, 0);
  assert.ok(result.stdout === lines, `${result.stdout.length} of ${lines.length} bytes came back`);
}, 60);

check(`${cat}: a line that is not UTF-8 is reported, and the others are sent`, async (t) => {
  const server = await serve(t, echo);
  const result = await t.wscat([server.url], Buffer.from('one\ntw\xff\nthree\n', 'latin1'));
  exits(result, 0);
  assert.equal(result.stdout, 'one\nthree\n');
  assert.match(result.stderr, /line 2 .*UTF-8/);
});

for (const [what, ...args] of [
  ['no URL'],
  ['a URL of another scheme', 'http://127.0.0.1/'],
  ['a header without a colon', 'ws://127.0.0.1:1/', '--header', 'X'],
  ['a header that belongs to the handshake', 'ws://127.0.0.1:1/', '--header', 'Upgrade: x'],
  ['--send without a text', 'ws://127.0.0.1:1/', '--send'],
]) {
  check(`wscat: ${what} exits 64`, async (t) => exits(await t.wscat(args), 64));
}

check('wscat: --help goes to stdout and exits 0', async (t) => {
  const result = await t.wscat(['--help']);
  exits(result, 0);
  assert.match(result.stdout, /^usage: wscat URL/);
});

check(`${cat}: after the end of stdin, late replies are waited for`, async (t) => {
  const server = await serve(t, (ws) => {
    ws.on('message', (data) => setTimeout(() => ws.send(data.toString()), 700));
  });
  const result = await t.wscat([server.url], 'patience\n');
  exits(result, 0);
  assert.equal(result.stdout, 'patience\n');
});

check(`${cat}: a reply is printed while stdin is still open`, async (t) => {
  const server = await serve(t, echo);
  const process = t.spawn(globalThis.process.env.WSCAT, [server.url], 'open');
  process.child.stdin.write('at once\n');
  while (process.stdout !== 'at once\n') await sleep(20, t);
  process.child.stdin.end();
  exits(await process.exited, 0);
});

check(`${cat}: a binary message is shown as hex`, async (t) => {
  const server = await serve(t, (ws) => ws.send(Buffer.from([0x00, 0x01, 0xfe, 0xff])));
  const result = await t.wscat([server.url, '--send', 'go', '--count', '1']);
  exits(result, 0);
  assert.match(result.stdout, /^00\s?01\s?fe\s?ff\n$/i);
});

check(`${cat}: a text of 1 MiB is printed whole`, async (t) => {
  const text = '0123456789abcdef'.repeat(65536);
  const server = await serve(t, (ws) => ws.send(text));
  const result = await t.wscat([server.url, '--send', 'go', '--count', '1']);
  exits(result, 0);
  assert.ok(result.stdout === `${text}\n`, `${result.stdout.length} characters came out`);
});

check(`${cat}: a fragmented text is printed whole`, async (t) => {
  const server = await serve(t, (ws) => {
    const text = Buffer.from('héllo ✓');
    ws.send(text.subarray(0, 2), { binary: false, fin: false });
    ws.send(text.subarray(2), { binary: false, fin: true });
  });
  const result = await t.wscat([server.url, '--send', 'go', '--count', '1']);
  exits(result, 0);
  assert.equal(result.stdout, 'héllo ✓\n');
});

check(`${cat}: a ping is answered with the same payload`, async (t) => {
  const pongs = [];
  const server = await serve(t, (ws) => {
    ws.on('pong', (data) => {
      pongs.push(data.toString());
      ws.close(1000);
    });
    ws.ping('are you there');
  });
  exits(await t.wscat([server.url, '--send', 'go']), 0);
  assert.deepEqual(pongs, ['are you there']);
});

for (const code of [1000, 3001]) {
  check(`${cat}: without --count it stays until the server closes, here with ${code}, and exits 0`, async (t) => {
    const server = await serve(t, (ws) => {
      echo(ws);
      setTimeout(() => ws.close(code, 'enough'), 500);
    });
    const began = Date.now();
    const result = await t.wscat([server.url, '--send', 'one']);
    exits(result, 0);
    assert.equal(result.stdout, 'one\n');
    assert.ok(Date.now() - began > 400, 'it left before the server closed');
    assert.equal((await server.closes.next()).code, code, 'the code it answered with');
  });
}

check(`${cat}: a connection cut without a close exits 3`, async (t) => {
  const server = await serve(t, (ws) => ws.on('message', () => ws.terminate()));
  exits(await t.wscat([server.url, '--send', 'one']), 3);
});

check('wscat, raw server: a connection reset exits 3', async (t) => {
  const port = await serveRaw(t, async (stream) => {
    await stream.frame();
    stream.socket.resetAndDestroy();
  });
  exits(await t.wscat([`ws://127.0.0.1:${port}/`, '--send', 'one']), 3);
});

for (const [how, head] of [
  ['with a length', 'Content-Length: 13\r\nConnection: keep-alive\r\n'],
  ['up to the end of the connection', 'Connection: close\r\n'],
]) {
  check(`wscat, raw server: a refusal with 401 and a body ${how} exits 1 and shows both`, async (t) => {
    const port = await t.tcpServer(async (socket) => {
      await new Stream(socket).head();
      socket.write(`HTTP/1.1 401 Unauthorized\r\nContent-Type: text/plain\r\n${head}\r\n`);
      socket.write('who goes the');
      await sleep(50, t);
      if (head.includes('close')) socket.end('r');
      else socket.write('r');
    });
    const result = await t.wscat([`ws://127.0.0.1:${port}/`, '--send', 'one']);
    exits(result, 1);
    assert.equal(result.stdout, '');
    assert.match(result.stderr, /401/);
    assert.match(result.stderr, /who goes ther/);
  });
}

check(`${cat}: a refusal with 403 exits 1`, async (t) => {
  const server = await serve(t, echo, { verifyClient: (_, done) => done(false, 403, 'not you') });
  const result = await t.wscat([server.url, '--send', 'one']);
  exits(result, 1);
  assert.match(result.stderr, /403/);
});

const garbage = [
  ['a reserved opcode', 1002, frame(0x3, 'x', { masked: false })],
  ['a masked frame', 1002, frame(0x1, 'x')],
  ['a reserved bit', 1002, frame(0x1, 'x', { rsv: 2, masked: false })],
  ['noise', 1002, Buffer.alloc(64, 0xff)],
  ['a text that is not UTF-8', 1007, frame(0x1, Buffer.from([0xc3, 0x28]), { masked: false })],
];
for (const [what, code, bytes] of garbage) {
  check(`wscat, raw server: ${what} from the server gets ${code} and exits 2`, async (t) => {
    const closes = new Queue();
    const port = await serveRaw(t, async (stream) => {
      stream.socket.write(bytes);
      closes.push(await stream.close());
    });
    const result = await t.wscat([`ws://127.0.0.1:${port}/`, '--send', 'one']);
    exits(result, 2);
    assert.equal(result.stdout, '');
    const close = await closes.next();
    assert.deepEqual([close.code, close.masked], [code, true]);
  });
}

check('wscat, raw server: a wrong accept value is not taken for a connection', async (t) => {
  const port = await serveRaw(t, () => {}, () => acceptFor('another key'));
  const result = await t.wscat([`ws://127.0.0.1:${port}/`, '--send', 'one']);
  assert.ok([1, 2].includes(result.code), `exit status ${result.code}; stderr: ${result.stderr}`);
});

check('wscat, raw server: frames that come together with the handshake are not lost', async (t) => {
  const port = await t.tcpServer(async (socket) => {
    const stream = new Stream(socket);
    const { headers } = await stream.head();
    socket.write(Buffer.concat([
      Buffer.from('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n'
        + `Sec-WebSocket-Accept: ${acceptFor(headers['sec-websocket-key'])}\r\n\r\n`),
      frame(0x1, 'early', { masked: false }),
      frame(0x8, Buffer.from([0x03, 0xe8]), { masked: false }),
    ]));
    const close = await stream.close();
    assert.equal(close.code, 1000);
    socket.end();
  });
  const result = await t.wscat([`ws://127.0.0.1:${port}/`, '--send', 'one']);
  exits(result, 0);
  assert.equal(result.stdout, 'early\n');
});

check('wscat: a refused connection exits 3', async (t) => {
  const free = net.createServer();
  await new Promise((resolve) => free.listen(0, '127.0.0.1', resolve));
  const { port } = free.address();
  await new Promise((resolve) => free.close(resolve));
  exits(await t.wscat([`ws://127.0.0.1:${port}/`, '--send', 'one']), 3);
});

check('wscat, raw server: no answer to the handshake exits 3 after --timeout', async (t) => {
  const port = await t.tcpServer(() => {});
  const began = Date.now();
  exits(await t.wscat([`ws://127.0.0.1:${port}/`, '--send', 'one', '--timeout', '1']), 3);
  const seconds = (Date.now() - began) / 1000;
  assert.ok(seconds > 0.8 && seconds < 4, `it gave up after ${seconds} s`);
});

check('wscat, raw server: half an answer to the handshake exits 3 after --timeout', async (t) => {
  const port = await t.tcpServer((socket) => { socket.write('HTTP/1.1 101 Switch'); });
  const began = Date.now();
  exits(await t.wscat([`ws://127.0.0.1:${port}/`, '--send', 'one', '--timeout', '1']), 3);
  const seconds = (Date.now() - began) / 1000;
  assert.ok(seconds > 0.8 && seconds < 4, `it gave up after ${seconds} s`);
});

check(`${cat}: subprotocol, header and origin reach the server`, async (t) => {
  let seen;
  const server = await serve(t, (ws, request) => {
    seen = { url: request.url, headers: request.headers, protocol: ws.protocol };
    echo(ws);
  });
  exits(await t.wscat([
    `${server.url}some/path?q=1`, '--send', 'one', '--count', '1',
    '--subprotocol', 'chat', '--subprotocol', 'superchat',
    '--header', 'X-Token: a b:c', '--header', 'X-Other: 2',
    '--origin', 'https://one.example',
  ]), 0);
  assert.equal(seen.url, '/some/path?q=1');
  assert.equal(seen.protocol, 'chat');
  assert.equal(seen.headers['sec-websocket-protocol'].replace(/\s/g, ''), 'chat,superchat');
  assert.equal(seen.headers['x-token'], 'a b:c');
  assert.equal(seen.headers['x-other'], '2');
  assert.equal(seen.headers.origin, 'https://one.example');
  assert.equal(seen.headers.host, `127.0.0.1:${server.address().port}`);
});

check(`${cat}: a message over --max-message-size gets 1009 and is not printed`, async (t) => {
  const server = await serve(t, (ws) => ws.send('x'.repeat(101)));
  const result = await t.wscat([server.url, '--send', 'go', '--max-message-size', '100']);
  assert.notEqual(result.code, 0);
  assert.equal(result.stdout, '');
  assert.equal((await server.closes.next()).code, 1009);
});

runChecks();
