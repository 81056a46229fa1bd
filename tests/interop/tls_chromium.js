// Headless Chromium on the page of echo_server over TLS, and a WebSocket of its own.
'use strict';

const crypto = require('node:crypto');
const fs = require('node:fs');
const { line, show, state } = require('./browser.js');
const { assert, check, json, runChecks } = require('./lib.js');

/** A browser that takes the one key of the server, showing its page. */
async function open(t) {
  const { publicKey } = new crypto.X509Certificate(fs.readFileSync(process.env.TLS_CERT));
  const spki = crypto.createHash('sha256').update(publicKey.export({ type: 'spki', format: 'der' }));
  const server = await t.tlsEchoServer();
  return show(t, server, `--ignore-certificate-errors-spki-list=${spki.digest('base64')}`);
}

check('tls, chromium: the page of https:// sends over wss:// and shows the echo', async (t) => {
  const { server, page, errors } = await open(t);
  const opened = page.waitForEvent('websocket');
  await page.reload();
  assert.equal((await opened).url(), server.url);
  await state(page, 'open');
  await page.fill('#text', 'héllo ✓');
  await page.click('#send');
  await line(page, 'received', 'héllo ✓');
  await page.click('#close');
  await line(page, 'closed', '1000');
  assert.deepEqual(errors, []);
}, 90);

check('tls, chromium: JSON and 1 MiB of random bytes, compressed, make the round trip', async (t) => {
  const { server, page } = await open(t);
  const result = await page.evaluate(([url, text]) => new Promise((resolve, reject) => {
    const bytes = new Uint8Array(1 << 20);
    for (let at = 0; at < bytes.length; at += 65536) {
      crypto.getRandomValues(bytes.subarray(at, at + 65536));
    }
    const socket = new WebSocket(url);
    socket.binaryType = 'arraybuffer';
    const same = [];
    socket.onopen = () => [text, bytes].forEach((message) => socket.send(message));
    socket.onerror = () => reject(new Error('error event'));
    socket.onmessage = ({ data }) => {
      if (typeof data === 'string') {
        same.push(data === text);
      } else {
        const got = new Uint8Array(data);
        same.push(got.length === bytes.length && got.every((byte, i) => byte === bytes[i]));
      }
      if (same.length === 2) socket.close(3001, 'bye');
    };
    socket.onclose = ({ code, wasClean }) => {
      resolve({ same, code, wasClean, extensions: socket.extensions });
    };
  }), [server.url, json()]);
  assert.match(result.extensions, /^permessage-deflate/);
  assert.deepEqual({ ...result, extensions: '' }, {
    same: [true, true], code: 3001, wasClean: true, extensions: '',
  });
}, 90);

check('tls, chromium: SIGINT of the server shows as 1001', async (t) => {
  const { server, page } = await open(t);
  await state(page, 'open');
  server.child.kill('SIGINT');
  await line(page, 'closed', '1001');
  assert.equal((await server.exited).code, 0, 'the exit status of echo_server');
}, 90);

check('tls, chromium: a browser that does not know the certificate refuses it', async (t) => {
  await assert.rejects(show(t, await t.tlsEchoServer()), /ERR_CERT_AUTHORITY_INVALID/);
}, 90);

runChecks();
