// The `ws` package as a client of axum_server.
'use strict';

const { Tap, assert, check, compressed, connect, negotiated, runChecks } = require('./lib.js');

const client = 'axum, node ws client';
const protocols = ['chat.v1', 'chat.v2'];

async function said(ws) {
  const { data, isBinary } = await ws.messages.next();
  return isBinary ? data : data.toString();
}

/** Joins the chat of this server, as its page or from another origin. */
function join(t, server, options = {}) {
  return connect(t, server.url, protocols, { origin: server.origin, ...options });
}

check(`${client}: what one says reaches everybody, compressed or not`, async (t) => {
  const server = await t.axumServer();
  const one = await join(t, server, { perMessageDeflate: { threshold: 0 } });
  const other = await join(t, server);
  assert.match(one.extensions, /^permessage-deflate/);
  assert.equal(other.extensions, '');
  assert.equal(one.protocol, 'chat.v2');
  for (const [from, message] of [
    [one, 'héllo ✓'], [other, 'hello again'], [one, ''], [one, Buffer.from([0, 1, 0xfe, 0xff])],
  ]) {
    from.send(message);
    assert.deepEqual([await said(one), await said(other)], [message, message]);
  }
});

check(`${client}: compression shows on the wire`, async (t) => {
  const server = await t.axumServer();
  const tap = await Tap.before(t, server.port);
  const ws = await connect(t, `${tap.url}chat`, protocols, {
    origin: server.origin, perMessageDeflate: { threshold: 0 },
  });
  const text = 'as before, '.repeat(300);
  ws.send(text);
  assert.equal(await said(ws), text);
  const wire = tap.webSocket();
  negotiated(wire, true);
  for (const direction of ['sent', 'received']) {
    compressed(wire[direction], 1, text.length / 3, `the text ${direction}`);
  }
});

check(`${client}: close(3001, 'bye') gets 3001 back and the connection ends`, async (t) => {
  const ws = await join(t, await t.axumServer());
  ws.close(3001, 'bye');
  assert.equal((await ws.closed).code, 3001);
});

check(`${client}: a message that is too large gets 1009`, async (t) => {
  const ws = await join(t, await t.axumServer());
  ws.send('x'.repeat(4097));
  assert.equal((await ws.closed).code, 1009);
});

check(`${client}: another origin is refused with 403, and a plain GET is no upgrade`, async (t) => {
  const server = await t.axumServer();
  await assert.rejects(join(t, server, { origin: 'https://other.example' }), /403/);
  const plain = await fetch(`${server.origin}/chat`);
  assert.equal(plain.status, 426);
  assert.equal(plain.headers.get('upgrade'), 'websocket');
});

runChecks();
