// wss:// with the `ws` package: as a client of echo_server, and as a server of wscat.
'use strict';

const crypto = require('node:crypto');
const fs = require('node:fs');
const https = require('node:https');
const {
  Queue, assert, check, connect, connectRaw, echoes, handshake, json, runChecks,
} = require('./lib.js');

const ca = fs.readFileSync(process.env.TLS_CA);
const text = json();

const client = 'tls, node ws client';

for (const minVersion of ['TLSv1.2', 'TLSv1.3']) {
  for (const host of ['localhost', '127.0.0.1']) {
    check(`${client}: text, binary and 1 MiB are echoed by ${host} over ${minVersion}`, async (t) => {
      const { port } = await t.tlsEchoServer();
      const ws = await connect(t, `wss://${host}:${port}/`, [], { ca, minVersion, maxVersion: minVersion });
      assert.equal(ws._socket.authorized, true);
      assert.equal(ws._socket.getProtocol(), minVersion);
      assert.equal(ws.extensions, '');
      await echoes(ws, 'héllo ✓');
      await echoes(ws, crypto.randomBytes(126));
      await echoes(ws, crypto.randomBytes(1 << 20));
      await echoes(ws, text);
    });
  }
}

check(`${client}: compression is negotiated, and 1 MiB of JSON and of random bytes are echoed`, async (t) => {
  const { url } = await t.tlsEchoServer();
  const ws = await connect(t, url, [], { ca, perMessageDeflate: { threshold: 0 } });
  assert.match(ws.extensions, /^permessage-deflate/);
  const before = ws._socket.bytesRead;
  await echoes(ws, text);
  const read = ws._socket.bytesRead - before;
  assert.ok(read < text.length / 3, `${read} bytes came for ${text.length}`);
  await echoes(ws, crypto.randomBytes(1 << 20));
  await echoes(ws, '');
});

check(`${client}: a hundred messages that are sent at once come back in order`, async (t) => {
  const ws = await connect(t, (await t.tlsEchoServer()).url, [], { ca });
  const sent = Array.from({ length: 100 }, (_, i) => `${i} ${'x'.repeat(20000)}`);
  for (const one of sent) ws.send(one);
  for (const one of sent) assert.ok((await ws.messages.next()).data.toString() === one, one.slice(0, 3));
});

check(`${client}: close(3001, 'bye') gets 3001 back and the connection ends`, async (t) => {
  const ws = await connect(t, (await t.tlsEchoServer()).url, [], { ca });
  await echoes(ws, 'one');
  ws.close(3001, 'bye');
  assert.equal((await ws.closed).code, 3001);
});

check(`${client}: SIGINT closes with 1001 and the server exits with 0`, async (t) => {
  const server = await t.tlsEchoServer();
  const ws = await connect(t, server.url, [], { ca });
  await echoes(ws, 'in use');
  server.child.kill('SIGINT');
  assert.equal((await ws.closed).code, 1001);
  assert.equal((await server.exited).code, 0, 'the exit status of echo_server');
});

check(`${client}: without the CA it does not trust the server`, async (t) => {
  const { url } = await t.tlsEchoServer();
  await assert.rejects(connect(t, url), /certificate/);
});

check('tls, raw client: one that speaks no TLS gets no WebSocket, and the next is served', async (t) => {
  const { port, url } = await t.tlsEchoServer();
  const stream = await connectRaw(t, port);
  stream.socket.write(handshake(port));
  await stream.closed;
  assert.ok(!stream.buffer.includes('HTTP/'), 'an answer in plain HTTP');
  const ws = await connect(t, url, [], { ca });
  await echoes(ws, 'one');
});

// ---- wscat ----

/** A `wss://` server; its `closes` has the code of each close. */
async function serve(t, {
  cert = process.env.TLS_CERT, key = process.env.TLS_KEY, ...options
} = {}) {
  const { WebSocketServer } = require('ws');
  const server = https.createServer({
    cert: fs.readFileSync(cert), key: fs.readFileSync(key), ...options,
  });
  const sockets = new WebSocketServer({ server, perMessageDeflate: { threshold: 0 } });
  t.after(() => {
    sockets.clients.forEach((ws) => ws.terminate());
    server.close();
  });
  const closes = new Queue();
  const extensions = [];
  sockets.on('connection', (ws) => {
    ws.on('error', () => {});
    ws.on('close', (code) => closes.push(code));
    ws.on('message', (data, isBinary) => {
      const isHex = data.toString() === 'hex';
      ws.send(isHex ? Buffer.from([0, 1, 0xfe, 0xff]) : data, { binary: isBinary || isHex });
    });
    extensions.push(ws.extensions);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `wss://localhost:${server.address().port}/`, closes, extensions };
}

function exits(result, code) {
  assert.equal(result.code, code, `exit status ${result.code}, not ${code}; stderr: ${result.stderr}`);
}

function untrusted(result) {
  exits(result, 3);
  assert.equal(result.stdout, '');
  assert.match(result.stderr, /certificate/);
}

for (const [name, start] of [
  ['echo_server', (t) => t.tlsEchoServer()],
  ['node ws server', serve],
]) {
  const cat = `tls, wscat, ${name}`;

  for (const args of [['--ca', process.env.TLS_CA], ['--insecure']]) {
    check(`${cat}: with ${args[0]} texts and 1 MiB come back and it exits 0`, async (t) => {
      const { url } = await start(t);
      for (const address of [url, url.replace('localhost', '127.0.0.1')]) {
        const result = await t.wscat([address, ...args], `one\nhéllo ✓\n${text}\n`);
        exits(result, 0);
        assert.ok(result.stdout === `one\nhéllo ✓\n${text}\n`, `${result.stdout.length} bytes came back`);
      }
    });
  }

  check(`${cat}: without --ca the certificate is refused`, async (t) => {
    const { url } = await start(t);
    untrusted(await t.wscat([url, '--send', 'one', '--count', '1']));
  });

  check(`${cat}: with another CA the certificate is refused`, async (t) => {
    const { url } = await start(t);
    untrusted(await t.wscat([url, '--ca', process.env.TLS_STRANGER, '--send', 'one', '--count', '1']));
  });
}

const cat = 'tls, wscat, node ws server';

check(`${cat}: compression is negotiated, a binary message is shown, and it closes with 1000`, async (t) => {
  const { url, closes, extensions } = await serve(t);
  const result = await t.wscat([url, '--ca', process.env.TLS_CA, '--send', 'hex', '--count', '1']);
  exits(result, 0);
  assert.equal(result.stdout, '0001feff\n');
  assert.deepEqual(extensions, ['permessage-deflate']);
  assert.equal(await closes.next(), 1000);
});

for (const maxVersion of ['TLSv1.2', 'TLSv1.3']) {
  check(`${cat}: it speaks ${maxVersion}`, async (t) => {
    const { url } = await serve(t, { minVersion: maxVersion, maxVersion });
    const result = await t.wscat([url, '--ca', process.env.TLS_CA, '--send', 'one', '--count', '1']);
    exits(result, 0);
    assert.equal(result.stdout, 'one\n');
  });
}

check(`${cat}: a certificate for another name is refused`, async (t) => {
  const { url } = await serve(t, {
    cert: process.env.TLS_ELSEWHERE_CERT, key: process.env.TLS_ELSEWHERE_KEY,
  });
  untrusted(await t.wscat([url, '--ca', process.env.TLS_CA, '--send', 'one', '--count', '1']));
});

runChecks();
