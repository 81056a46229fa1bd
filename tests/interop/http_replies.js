// What echo_server answers to requests over HTTP, and to handshakes it refuses.
'use strict';

const http = require('node:http');
const {
  assert, check, runChecks, acceptFor, connectRaw, SAMPLE_KEY,
} = require('./lib.js');

/** One request on a connection of its own; also resolves for a 101. */
function request(t, port, options) {
  return new Promise((resolve, reject) => {
    const sent = http.request({ host: '127.0.0.1', port, agent: false, ...options });
    t.after(() => sent.destroy());
    sent.on('error', reject);
    sent.on('upgrade', (response, socket) => {
      socket.on('error', () => {});
      t.after(() => socket.destroy());
      resolve({ status: response.statusCode, headers: response.headers, body: '' });
    });
    sent.on('response', (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text) => { body += text; });
      response.on('error', reject);
      response.on('end', () => {
        resolve({ status: response.statusCode, headers: response.headers, body });
      });
    });
    sent.end(options.body);
  });
}

/** A handshake, with `headers` over the usual ones (`undefined` leaves one out). */
function upgrade(t, port, headers = {}) {
  const all = {
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Key': SAMPLE_KEY,
    'Sec-WebSocket-Version': '13',
    ...headers,
  };
  for (const name of Object.keys(all)) if (all[name] === undefined) delete all[name];
  return request(t, port, { path: '/', headers: all });
}

const allowed = ['--allow-origin', 'https://one.example', '--allow-origin', 'https://two.example:8443'];

check('handshake: the accept value of the RFC\'s sample key is sent', async (t) => {
  const reply = await upgrade(t, (await t.echoServer()).port);
  assert.equal(reply.status, 101);
  assert.equal(reply.headers['sec-websocket-accept'], acceptFor(SAMPLE_KEY));
  assert.equal(reply.headers['sec-websocket-accept'], 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
  assert.match(reply.headers.upgrade, /^websocket$/i);
  assert.match(reply.headers.connection, /^upgrade$/i);
  assert.equal(reply.headers['sec-websocket-protocol'], undefined);
  assert.equal(reply.headers['sec-websocket-extensions'], undefined);
});

check('handshake: a listed origin is accepted', async (t) => {
  const { port } = await t.echoServer(...allowed);
  assert.equal((await upgrade(t, port, { Origin: 'https://one.example' })).status, 101);
  assert.equal((await upgrade(t, port, { Origin: 'https://two.example:8443' })).status, 101);
});

for (const origin of ['https://other.example', 'http://one.example', 'https://two.example', 'https://one.example.other.example', 'null']) {
  check(`handshake: the origin ${origin}, which is not listed, is refused with 403`, async (t) => {
    const { port } = await t.echoServer(...allowed);
    assert.equal((await upgrade(t, port, { Origin: origin })).status, 403);
  });
}

check('handshake: another version is refused with 426, naming 13', async (t) => {
  const reply = await upgrade(t, (await t.echoServer()).port, { 'Sec-WebSocket-Version': '12' });
  assert.equal(reply.status, 426);
  assert.equal(reply.headers['sec-websocket-version'], '13');
});

for (const [what, key] of [['without a key', undefined], ['with a key of the wrong length', 'c2hvcnQ=']]) {
  check(`handshake: one ${what} is refused with a 4xx status`, async (t) => {
    const reply = await upgrade(t, (await t.echoServer()).port, { 'Sec-WebSocket-Key': key });
    assert.ok(reply.status >= 400 && reply.status < 500, `status ${reply.status}`);
  });
}

check('handshake: one that stalls is dropped after 10 s', async (t) => {
  const { port } = await t.echoServer();
  const stream = await connectRaw(t, port);
  const began = Date.now();
  stream.socket.write('GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpg');
  await stream.closed;
  const seconds = (Date.now() - began) / 1000;
  assert.ok(seconds > 8 && seconds < 14, `it was dropped after ${seconds} s`);
}, 20);

check('http: GET / gives the page, which needs nothing from elsewhere', async (t) => {
  const reply = await request(t, (await t.echoServer()).port, { path: '/' });
  assert.equal(reply.status, 200);
  assert.match(reply.headers['content-type'], /^text\/html\b/);
  for (const id of ['form', 'text', 'send', 'close', 'log', 'state']) {
    assert.match(reply.body, new RegExp(`id=["']?${id}\\b`), `an element with the id ${id}`);
  }
  assert.doesNotMatch(reply.body, /(src|href)=["']?(https?:)?\/\//);
});

check('http: the server still answers after a page was served', async (t) => {
  const { port } = await t.echoServer();
  for (let i = 0; i < 3; i += 1) assert.equal((await request(t, port, { path: '/' })).status, 200);
  assert.equal((await upgrade(t, port)).status, 101);
});

check('http: GET of another path gives 404 or 426', async (t) => {
  const reply = await request(t, (await t.echoServer()).port, { path: '/nope' });
  assert.ok([404, 426].includes(reply.status), `status ${reply.status}`);
});

check('http: POST / gives 405', async (t) => {
  const reply = await request(t, (await t.echoServer()).port, {
    method: 'POST', path: '/', body: 'a body', headers: { 'Content-Length': 6 },
  });
  assert.equal(reply.status, 405);
});

check('http: at the connection limit, handshakes and pages get 503 with Retry-After', async (t) => {
  const { port } = await t.echoServer('--max-connections', '1');
  assert.equal((await upgrade(t, port)).status, 101);
  for (const reply of [await upgrade(t, port), await request(t, port, { path: '/' })]) {
    assert.equal(reply.status, 503);
    assert.match(reply.headers['retry-after'], /^\d+$/);
  }
});

for (const [what, ...args] of [
  ['an unknown option', '--nope'],
  ['an origin that is none', '--allow-origin', 'one.example'],
]) {
  check(`echo_server: ${what} exits 64`, async (t) => {
    assert.equal((await t.spawn(process.env.ECHO_SERVER, args).exited).code, 64);
  });
}

check('echo_server: --help goes to stdout and exits 0', async (t) => {
  const result = await t.spawn(process.env.ECHO_SERVER, ['--help']).exited;
  assert.equal(result.code, 0);
  assert.match(result.stdout, /^usage: echo_server/);
});

check('http: what is not HTTP gets a 4xx status or nothing, and no other client notices', async (t) => {
  const { port } = await t.echoServer();
  const stream = await connectRaw(t, port);
  stream.socket.write(Buffer.from([0x16, 0x03, 0x01, 0x00, 0x05, 0x0d, 0x0a, 0x0d, 0x0a, 0x0d, 0x0a]));
  const answer = await stream.head().then(({ first }) => first, () => '');
  assert.match(answer, /^$|^HTTP\/1\.1 4\d\d /);
  await stream.closed;
  assert.equal((await upgrade(t, port)).status, 101);
});

runChecks();
