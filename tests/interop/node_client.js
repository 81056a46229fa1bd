// The `ws` package and bare sockets as clients of echo_server.
'use strict';

const crypto = require('node:crypto');
const {
  assert, check, runChecks, sleep, connect, echoes, sameBytes, sameMessage,
  frame, connectRaw, openRaw, handshake,
} = require('./lib.js');

const client = 'node ws client';

check(`${client}: text with characters of two and three bytes is echoed`, async (t) => {
  const ws = await connect(t, (await t.echoServer()).url);
  await echoes(ws, 'héllo ✓');
});

check(`${client}: an empty text is echoed`, async (t) => {
  const ws = await connect(t, (await t.echoServer()).url);
  await echoes(ws, '');
});

for (const size of [0, 125, 126, 65535, 65536, 1 << 20]) {
  check(`${client}: ${size} random bytes are echoed`, async (t) => {
    const ws = await connect(t, (await t.echoServer()).url);
    await echoes(ws, crypto.randomBytes(size));
  });
}

check(`${client}: a hundred messages come back in order`, async (t) => {
  const ws = await connect(t, (await t.echoServer()).url);
  const texts = Array.from({ length: 100 }, (_, i) => `message ${i}`);
  for (const text of texts) ws.send(text);
  for (const text of texts) sameMessage(await ws.messages.next(), text, text);
});

check(`${client}: an offer of permessage-deflate does not get in the way`, async (t) => {
  const ws = await connect(t, (await t.echoServer()).url, [], { perMessageDeflate: true });
  await echoes(ws, 'a'.repeat(4096));
});

check(`${client}: a text fragmented inside a character is echoed whole`, async (t) => {
  const ws = await connect(t, (await t.echoServer()).url);
  const text = Buffer.from('héllo ✓');
  ws.send(text.subarray(0, 2), { binary: false, fin: false });
  ws.send(text.subarray(2, 9), { binary: false, fin: false });
  ws.send(text.subarray(9), { binary: false, fin: true });
  sameMessage(await ws.messages.next(), 'héllo ✓', 'the text');
});

check(`${client}: a ping between fragments is answered and the message is echoed whole`, async (t) => {
  const ws = await connect(t, (await t.echoServer()).url);
  const bytes = crypto.randomBytes(3000);
  ws.send(bytes.subarray(0, 1000), { fin: false });
  ws.ping('between');
  sameBytes(await ws.pongs.next(), Buffer.from('between'), 'the pong');
  ws.send(bytes.subarray(1000, 2000), { fin: false });
  ws.send(bytes.subarray(2000), { fin: true });
  sameMessage(await ws.messages.next(), bytes, 'the message');
});

for (const size of [0, 125]) {
  check(`${client}: a ping of ${size} bytes gets a pong with the same payload`, async (t) => {
    const ws = await connect(t, (await t.echoServer()).url);
    const bytes = crypto.randomBytes(size);
    ws.ping(bytes);
    sameBytes(await ws.pongs.next(), bytes, 'the pong');
  });
}

check(`${client}: close(3001, 'bye') gets 3001 back and the connection ends`, async (t) => {
  const ws = await connect(t, (await t.echoServer()).url);
  ws.close(3001, 'bye');
  assert.equal((await ws.closed).code, 3001);
});

check(`${client}: a close without a code is answered and the connection ends`, async (t) => {
  const ws = await connect(t, (await t.echoServer()).url);
  ws.close();
  const { code } = await ws.closed;
  assert.ok(code === 1005 || code === 1000, `the close came back as ${code}`);
});

check(`${client}: a message before the close is still echoed`, async (t) => {
  const ws = await connect(t, (await t.echoServer()).url);
  ws.send('last words');
  ws.close(1000);
  sameMessage(await ws.messages.next(), 'last words', 'the message');
  assert.equal((await ws.closed).code, 1000);
});

check(`${client}: the subprotocol both sides know is negotiated`, async (t) => {
  const server = await t.echoServer('--subprotocol', 'chat');
  const ws = await connect(t, server.url, ['superchat', 'chat']);
  assert.equal(ws.protocol, 'chat');
  await echoes(ws, 'spoken in chat');
});

check(`${client}: a client that asks for no subprotocol gets none`, async (t) => {
  const server = await t.echoServer('--subprotocol', 'chat');
  const ws = await connect(t, server.url);
  assert.equal(ws.protocol, '');
  await echoes(ws, 'hello');
});

check(`${client}: asking only for subprotocols the server does not know opens none of them`, async (t) => {
  const server = await t.echoServer('--subprotocol', 'chat');
  await assert.rejects(connect(t, server.url, ['superchat']), /subprotocol|Unexpected server response/);
});

check(`${client}: SIGINT closes every connection with 1001 and the server exits with 0`, async (t) => {
  const server = await t.echoServer();
  const all = [];
  for (let i = 0; i < 3; i += 1) all.push(await connect(t, server.url));
  await echoes(all[1], 'in use');
  server.child.kill('SIGINT');
  const closes = await Promise.all(all.map((ws) => ws.closed));
  assert.deepEqual(closes.map(({ code }) => code), [1001, 1001, 1001]);
  assert.equal((await server.exited).code, 0, 'the exit status of echo_server');
});

check(`${client}: SIGTERM closes with 1001 as well`, async (t) => {
  const server = await t.echoServer();
  const ws = await connect(t, server.url);
  server.child.kill('SIGTERM');
  assert.equal((await ws.closed).code, 1001);
  assert.equal((await server.exited).code, 0, 'the exit status of echo_server');
});

check(`${client}: a second SIGINT does not wait for a client that does not close`, async (t) => {
  const server = await t.echoServer();
  const stream = await openRaw(t, server.port);
  server.child.kill('SIGINT');
  assert.equal((await stream.close()).code, 1001);
  server.child.kill('SIGINT');
  assert.equal((await server.exited).code, 130, 'the exit status of echo_server');
});

check(`${client}: SIGINT closes with 1001 though the client never stops sending`, async (t) => {
  const server = await t.echoServer();
  const ws = await connect(t, server.url);
  const sending = setInterval(() => ws.send('busy'), 20);
  t.after(() => clearInterval(sending));
  sameMessage(await ws.messages.next(), 'busy', 'the message');
  server.child.kill('SIGINT');
  assert.equal((await ws.closed).code, 1001);
  assert.equal((await server.exited).code, 0, 'the exit status of echo_server');
});

check(`${client}: a message of --max-message-size is echoed, one byte more gets 1009`, async (t) => {
  const server = await t.echoServer('--max-message-size', '1000');
  const ws = await connect(t, server.url);
  await echoes(ws, crypto.randomBytes(1000));
  ws.send(crypto.randomBytes(1001));
  assert.equal((await ws.closed).code, 1009);
});

check(`${client}: fragments that add up to more than --max-message-size get 1009`, async (t) => {
  const server = await t.echoServer('--max-message-size', '1000');
  const ws = await connect(t, server.url);
  ws.send(crypto.randomBytes(600), { fin: false });
  ws.send(crypto.randomBytes(600), { fin: true });
  assert.equal((await ws.closed).code, 1009);
});

check(`${client}: a message of 1 MiB over a limit of 1000 bytes still sees the 1009`, async (t) => {
  const server = await t.echoServer('--max-message-size', '1000');
  const ws = await connect(t, server.url);
  ws.send(crypto.randomBytes(1 << 20));
  assert.equal((await ws.closed).code, 1009);
});

const violations = [
  ['a reserved data opcode', 1002, frame(0x3)],
  ['a reserved control opcode', 1002, frame(0xb)],
  ['a frame without a mask', 1002, frame(0x1, 'bare', { masked: false })],
  ['a reserved bit', 1002, frame(0x1, 'bit', { rsv: 4 })],
  ['a continuation of nothing', 1002, frame(0x0, 'lost')],
  ['a new message inside a fragmented one', 1002,
    Buffer.concat([frame(0x1, 'one', { fin: false }), frame(0x1, 'two')])],
  ['a fragmented ping', 1002, frame(0x9, 'half', { fin: false })],
  ['a ping of 126 bytes', 1002, frame(0x9, Buffer.alloc(126))],
  ['a close with one byte', 1002, frame(0x8, Buffer.from([3]))],
  ['a close with the code 1005', 1002, frame(0x8, Buffer.from([0x03, 0xed]))],
  ['a close with the code 999', 1002, frame(0x8, Buffer.from([0x03, 0xe7]))],
  ['a text that is not UTF-8', 1007, frame(0x1, Buffer.from([0xc3, 0x28]))],
];
for (const [what, code, bytes] of violations) {
  check(`raw client: ${what} gets ${code} and the server keeps serving others`, async (t) => {
    const server = await t.echoServer();
    const other = await connect(t, server.url);
    const stream = await openRaw(t, server.port);
    stream.socket.write(bytes);
    const close = await stream.close();
    assert.equal(close.code, code);
    assert.equal(close.masked, false, 'the server masked its close frame');
    await stream.closed;
    await echoes(other, 'still here');
    await echoes(await connect(t, server.url), 'and open to more');
  });
}

check('raw client: a connection cut in the middle of a frame leaves the server serving others', async (t) => {
  const server = await t.echoServer();
  const other = await connect(t, server.url);
  const stream = await openRaw(t, server.port);
  stream.socket.write(frame(0x1, 'never finished').subarray(0, 9));
  await sleep(100, t);
  stream.socket.resetAndDestroy();
  await sleep(100, t);
  await echoes(other, 'still here');
});

check('raw client: bytes that arrive one at a time are understood', async (t) => {
  const server = await t.echoServer();
  const stream = await connectRaw(t, server.port);
  for (const byte of Buffer.from(handshake(server.port))) {
    stream.socket.write(Buffer.from([byte]));
    await sleep(1, t);
  }
  assert.match((await stream.head()).first, /^HTTP\/1\.1 101 /);
  for (const byte of frame(0x1, 'héllo ✓')) {
    stream.socket.write(Buffer.from([byte]));
    await sleep(1, t);
  }
  assert.equal((await stream.frame()).payload.toString(), 'héllo ✓');
});

check('raw client: frames that come together with the handshake are not lost', async (t) => {
  const server = await t.echoServer();
  const stream = await connectRaw(t, server.port);
  stream.socket.write(Buffer.concat([
    Buffer.from(handshake(server.port)), frame(0x1, 'early'), frame(0x9, 'bird'),
  ]));
  assert.match((await stream.head()).first, /^HTTP\/1\.1 101 /);
  const echo = await stream.frame();
  assert.deepEqual([echo.opcode, echo.payload.toString()], [0x1, 'early']);
  const pong = await stream.frame();
  assert.deepEqual([pong.opcode, pong.payload.toString()], [0xa, 'bird']);
});

runChecks();
