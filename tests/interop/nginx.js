// nginx as the proxy before echo_server and axum_server: what docs/PRODUCTION.md says of it.
'use strict';

const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const { assert, check, connect, echoes, runChecks, sleep } = require('./lib.js');

const upgrade = `
  proxy_http_version 1.1;
  proxy_set_header Upgrade $http_upgrade;
  proxy_set_header Connection $connection_upgrade;
  proxy_set_header Host $http_host;`;

/** An nginx that passes `/` on to this port, with these settings; gives its URL. */
async function nginx(t, port, settings) {
  const dir = fs.mkdtempSync(path.join(process.env.INTEROP_WORK, 'nginx-'));
  t.after(() => fs.rmSync(dir, { recursive: true, force: true, maxRetries: 5 }));
  const free = net.createServer();
  await new Promise((resolve) => free.listen(0, '127.0.0.1', resolve));
  const own = free.address().port;
  await new Promise((resolve) => free.close(resolve));
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${dir}/${name};`).join('\n');
  fs.writeFileSync(path.join(dir, 'nginx.conf'), `
daemon off;
master_process off;
pid ${dir}/pid;
error_log stderr;
events {}
http {
  access_log off;
  ${temporary}
  map $http_upgrade $connection_upgrade {
    default upgrade;
    '' '';
  }
  server {
    listen 127.0.0.1:${own};
    location / {
      proxy_pass http://127.0.0.1:${port};
      ${settings}
    }
  }
}
`);
  const proxy = t.spawn('nginx', ['-p', dir, '-e', 'stderr', '-c', path.join(dir, 'nginx.conf')]);
  for (let tries = 0; ; tries += 1) {
    const socket = net.connect(own, '127.0.0.1');
    const came = await new Promise((resolve) => {
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
    });
    socket.destroy();
    if (came) return `ws://127.0.0.1:${own}/`;
    assert.ok(tries < 100, `nginx does not listen: ${proxy.stderr}`);
    await sleep(50);
  }
}

check('nginx: with the headers, messages of any size pass, compressed as well', async (t) => {
  const server = await t.echoServer();
  const url = await nginx(t, server.port, upgrade);
  const ws = await connect(t, url, [], { perMessageDeflate: true });
  assert.match(ws.extensions, /permessage-deflate/);
  for (const data of ['héllo ✓', Buffer.alloc(0), 'x'.repeat(1 << 20)]) await echoes(ws, data);
  ws.close(1000);
  assert.equal((await ws.closed).code, 1000);
  const result = await t.wscat([url, '--send', 'one', '--count', '1']);
  assert.deepEqual([result.code, result.stdout], [0, 'one\n']);
});

check('nginx: without the headers wscat says what to look at', async (t) => {
  const server = await t.echoServer();
  const url = await nginx(t, server.port, 'proxy_http_version 1.1;');
  const result = await t.wscat([`${url}elsewhere`, '--send', 'one', '--count', '1']);
  assert.equal(result.code, 1);
  assert.match(result.stderr, /426/);
  assert.match(result.stderr, /Upgrade/i);
});

check('nginx: an origin is judged by the host that the browser asked for', async (t) => {
  const server = await t.echoServer('--allow-origin', 'https://chat.example');
  const url = await nginx(t, server.port, upgrade);
  await echoes(await connect(t, url, [], { origin: 'https://chat.example' }), 'own');
  await assert.rejects(connect(t, url, [], { origin: 'https://other.example' }), /403/);
});

check('nginx: a silent connection ends with 1006 after proxy_read_timeout', async (t) => {
  const server = await t.echoServer();
  const url = await nginx(t, server.port, `${upgrade} proxy_read_timeout 2s;`);
  const ws = await connect(t, url);
  await echoes(ws, 'one');
  const began = Date.now();
  assert.equal((await ws.closed).code, 1006);
  const seconds = (Date.now() - began) / 1000;
  assert.ok(seconds > 1.5 && seconds < 8, `it ended after ${seconds} s`);
}, 30);

check('nginx: with pings more often than that it stays', async (t) => {
  const server = await t.echoServer();
  const url = await nginx(t, server.port, `${upgrade} proxy_read_timeout 2s;`);
  const ws = await connect(t, url);
  const pinging = setInterval(() => ws.ping(), 500);
  t.after(() => clearInterval(pinging));
  await sleep(6000, t);
  await echoes(ws, 'still there');
}, 30);

check('nginx: without its server it answers 502, which is told', async (t) => {
  const server = await t.echoServer();
  const url = await nginx(t, server.port, upgrade);
  server.child.kill('SIGKILL');
  await server.exited;
  const result = await t.wscat([url, '--send', 'one']);
  assert.equal(result.code, 1);
  assert.match(result.stderr, /502/);
});

runChecks();
