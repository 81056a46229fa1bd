// Compression with the `ws` package: as a client of echo_server, and as a server of wscat.
'use strict';

const crypto = require('node:crypto');
const {
  Tap, assert, check, compressed, connect, echoes, json, negotiated, runChecks, sameBytes,
  sameMessage,
} = require('./lib.js');

const client = 'deflate, node ws client';
const text = json();

function uncompressed({ frames }, label) {
  assert.ok(frames.length > 0, `${label}: no frames`);
  assert.ok(frames.every(({ rsv }) => rsv === 0), `${label}: reserved bits`);
}

for (const [what, args, options, answer] of [
  ['as by default', [], {}, /^permessage-deflate$/],
  ['without takeover', ['--server-no-context-takeover', '--client-no-context-takeover'], {},
    /server_no_context_takeover; client_no_context_takeover/],
  ['without takeover, as the client asks', [],
    { serverNoContextTakeover: true, clientNoContextTakeover: true },
    /server_no_context_takeover; client_no_context_takeover/],
  ['with small windows', ['--server-max-window-bits', '9', '--client-max-window-bits', '10'], {},
    /server_max_window_bits=9; client_max_window_bits=10/],
  ['with small windows, as the client asks', [],
    { serverMaxWindowBits: 10, clientMaxWindowBits: 9 },
    /server_max_window_bits=10; client_max_window_bits=9/],
]) {
  check(`${client}: 1 MiB of JSON and of random bytes are echoed ${what}`, async (t) => {
    const tap = await Tap.before(t, (await t.echoServer(...args)).port);
    const perMessageDeflate = { threshold: 0, ...options };
    const ws = await connect(t, tap.url, [], { perMessageDeflate });
    await echoes(ws, text, 'the JSON');
    await echoes(ws, crypto.randomBytes(1 << 20), 'the random bytes');
    await echoes(ws, text, 'the JSON again');
    const wire = tap.webSocket();
    negotiated(wire, true);
    assert.match(wire.received.extensions, answer);
    for (const direction of ['sent', 'received']) {
      compressed(wire[direction], 1, text.length / 3, `the JSON ${direction}`);
    }
  }, 30);
}

check(`${client}: with --no-deflate none is negotiated`, async (t) => {
  const tap = await Tap.before(t, (await t.echoServer('--no-deflate')).port);
  const ws = await connect(t, tap.url, [], { perMessageDeflate: { threshold: 0 } });
  await echoes(ws, text, 'the JSON');
  await echoes(ws, crypto.randomBytes(1 << 20), 'the random bytes');
  const wire = tap.webSocket();
  negotiated(wire, false);
  uncompressed(wire.sent, 'sent');
  uncompressed(wire.received, 'received');
});

check(`${client}: many messages, empty ones and fragments share a context`, async (t) => {
  const tap = await Tap.before(t, (await t.echoServer()).port);
  const ws = await connect(t, tap.url, [], { perMessageDeflate: { threshold: 0 } });
  const messages = [];
  for (let i = 0; i < 200; i += 1) {
    messages.push('', `message ${i} is like message ${i - 1}`, crypto.randomBytes(i));
  }
  for (const message of messages) {
    const isBinary = typeof message !== 'string';
    const bytes = Buffer.from(message);
    const options = { binary: isBinary, compress: bytes.length % 5 !== 4 };
    const half = bytes.length >> 1;
    ws.send(bytes.subarray(0, half), { ...options, fin: false });
    ws.send(bytes.subarray(half), { ...options, fin: half % 2 === 0 });
    if (half % 2 !== 0) ws.send('', { ...options, fin: true });
  }
  for (const message of messages) sameMessage(await ws.messages.next(), message, 'a message');
  assert.ok(tap.webSocket().sent.frames.some(({ rsv }) => rsv === 4), 'RSV1');
});

check(`${client}: garbage with RSV1 gets 1007`, async (t) => {
  const ws = await connect(t, (await t.echoServer()).url, [], { perMessageDeflate: true });
  // A frame of its own: a block of the reserved type.
  ws._socket.write(Buffer.from([0xc1, 0x81, 0, 0, 0, 0, 0x07]));
  assert.equal((await ws.closed).code, 1007);
});

// ---- as a server ----

const cat = 'deflate, wscat, node ws server';

async function serve(t, onConnection, perMessageDeflate) {
  const { WebSocketServer } = require('ws');
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate });
  t.after(() => {
    server.clients.forEach((ws) => ws.terminate());
    server.close();
  });
  server.on('connection', (ws) => {
    ws.on('error', t.fail);
    onConnection(ws);
  });
  await new Promise((resolve) => server.on('listening', resolve));
  return Tap.before(t, server.address().port);
}

const echo = (ws) => ws.on('message', (data, isBinary) => ws.send(data, { binary: isBinary }));

function exits(result, code) {
  assert.equal(result.code, code, `exit status ${result.code}, not ${code}; stderr: ${result.stderr}`);
}

for (const [what, args, options, offer, answer] of [
  ['as by default', [], {}, /client_max_window_bits/, /^permessage-deflate/],
  ['without takeover', ['--server-no-context-takeover', '--client-no-context-takeover'], {},
    /no_context_takeover/, /server_no_context_takeover/],
  ['without takeover, as the server asks', [],
    { serverNoContextTakeover: true, clientNoContextTakeover: true },
    /client_max_window_bits/, /client_no_context_takeover/],
  ['with small windows', ['--server-max-window-bits', '9', '--client-max-window-bits', '10'], {},
    /server_max_window_bits=9; client_max_window_bits=10/, /server_max_window_bits=9/],
  ['with small windows, as the server asks', [],
    { serverMaxWindowBits: 10, clientMaxWindowBits: 9 },
    /client_max_window_bits/, /client_max_window_bits=9/],
]) {
  check(`${cat}: 1 MiB of JSON comes back ${what}`, async (t) => {
    const tap = await serve(t, echo, { threshold: 0, ...options });
    const result = await t.wscat([tap.url, ...args, '--count', '2'], `${text}\n${text}\n`);
    exits(result, 0);
    assert.ok(result.stdout === `${text}\n${text}\n`, 'the JSON came back');
    const wire = tap.webSocket();
    negotiated(wire, true);
    assert.match(wire.sent.extensions, offer);
    assert.match(wire.received.extensions, answer);
    for (const direction of ['sent', 'received']) {
      compressed(wire[direction], 1, text.length / 3, `the JSON ${direction}`);
    }
  }, 30);
}

for (const takeover of [true, false]) {
  check(`${cat}: 1 MiB of random bytes arrives ${takeover ? 'with' : 'without'} takeover`, async (t) => {
    const bytes = crypto.randomBytes(1 << 20);
    const send = (ws) => ws.on('message', () => [text, bytes, text].forEach((one) => ws.send(one)));
    const tap = await serve(t, send, { threshold: 0, serverNoContextTakeover: !takeover });
    const result = await t.wscat([tap.url, '--send', 'go', '--count', '3']);
    exits(result, 0);
    const [first, ...lines] = result.stdout.trimEnd().split('\n');
    const last = lines.pop();
    assert.ok(first === text && last === text, 'the JSON');
    sameBytes(Buffer.from(lines.join('').replace(/\s/g, ''), 'hex'), bytes, 'the random bytes');
    assert.equal(tap.webSocket().received.frames.find(({ opcode }) => opcode === 2).rsv, 4);
  }, 30);
}

check(`${cat}: with --no-deflate none is offered`, async (t) => {
  const tap = await serve(t, echo, { threshold: 0 });
  const result = await t.wscat([tap.url, '--no-deflate', '--count', '1'], `${text}\n`);
  exits(result, 0);
  assert.ok(result.stdout === `${text}\n`, 'the JSON came back');
  const wire = tap.webSocket();
  assert.equal(wire.sent.extensions, undefined);
  assert.equal(wire.received.extensions, undefined);
  uncompressed(wire.sent, 'sent');
  uncompressed(wire.received, 'received');
});

check(`${cat}: a server without compression is spoken to without it`, async (t) => {
  const tap = await serve(t, echo, false);
  const result = await t.wscat([tap.url, '--count', '1'], `${text}\n`);
  exits(result, 0);
  negotiated(tap.webSocket(), false);
  uncompressed(tap.webSocket().sent, 'sent');
});

runChecks();
