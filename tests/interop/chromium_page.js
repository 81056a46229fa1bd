// Headless Chromium on the page of echo_server, and WebSockets of its own.
'use strict';

const { line, show, state } = require('./browser.js');
const {
  Tap, assert, check, compressed, json, negotiated, runChecks,
} = require('./lib.js');

/** A browser with a fresh profile, showing the page of a new echo_server. */
async function open(t, ...args) {
  return show(t, await t.echoServer(...args));
}

check('chromium: the page sends what is typed and shows the echo', async (t) => {
  const { server, page, requests, errors } = await open(t);
  await state(page, 'open');
  await page.fill('#text', 'héllo ✓');
  await page.click('#send');
  await line(page, 'sent', 'héllo ✓');
  await line(page, 'received', 'héllo ✓');
  await page.fill('#text', 'by the enter key');
  await page.press('#text', 'Enter');
  await line(page, 'received', 'by the enter key');
  assert.deepEqual(errors, []);
  const elsewhere = requests.filter((url) => !url.startsWith(`${server.origin}/`));
  assert.deepEqual(elsewhere, [], 'the page asks for nothing from elsewhere');
}, 90);

check('chromium: a message with markup is shown as text', async (t) => {
  const { page } = await open(t);
  await state(page, 'open');
  await page.fill('#text', '<b>bold</b> &amp;');
  await page.click('#send');
  await line(page, 'received', '<b>bold</b> &amp;');
  assert.equal(await page.locator('#log b').count(), 0);
}, 90);

check('chromium: the close button closes with 1000, which the page shows', async (t) => {
  const { page } = await open(t);
  await state(page, 'open');
  await page.click('#close');
  await line(page, 'closed', '1000');
  await state(page, 'closed');
}, 90);

check('chromium: SIGINT of the server shows as 1001', async (t) => {
  const { server, page } = await open(t);
  await state(page, 'open');
  server.child.kill('SIGINT');
  await line(page, 'closed', '1001');
  await state(page, 'closed');
  assert.equal((await server.exited).code, 0, 'the exit status of echo_server');
}, 90);

check('chromium: 1 MiB of random bytes make the round trip, and the close is clean', async (t) => {
  const { server, page } = await open(t);
  const result = await page.evaluate((url) => new Promise((resolve, reject) => {
    const sent = new Uint8Array(1 << 20);
    for (let at = 0; at < sent.length; at += 65536) {
      crypto.getRandomValues(sent.subarray(at, at + 65536));
    }
    const socket = new WebSocket(url);
    socket.binaryType = 'arraybuffer';
    let same;
    socket.onopen = () => socket.send(sent);
    socket.onerror = () => reject(new Error('error event'));
    socket.onmessage = ({ data }) => {
      const got = new Uint8Array(data);
      same = got.length === sent.length && got.every((byte, i) => byte === sent[i]);
      socket.close(3001, 'bye');
    };
    socket.onclose = ({ code, wasClean }) => resolve({ same, code, wasClean });
  }), server.url);
  assert.deepEqual(result, { same: true, code: 3001, wasClean: true });
}, 90);

for (const options of [
  [], ['--server-no-context-takeover', '--client-no-context-takeover'],
  ['--server-max-window-bits', '10', '--client-max-window-bits', '10'], ['--no-deflate'],
]) {
  check(`chromium: JSON and random bytes with compression ${options.join(' ') || 'as by default'}`, async (t) => {
    const tap = await Tap.before(t, (await t.echoServer(...options)).port);
    const { page } = await show(t, tap);
    const text = json();
    const result = await page.evaluate(([url, text]) => new Promise((resolve, reject) => {
      const bytes = new Uint8Array(1 << 20);
      for (let at = 0; at < bytes.length; at += 65536) {
        crypto.getRandomValues(bytes.subarray(at, at + 65536));
      }
      const socket = new WebSocket(url);
      socket.binaryType = 'arraybuffer';
      const same = [];
      socket.onopen = () => [text, bytes, text].forEach((message) => socket.send(message));
      socket.onerror = () => reject(new Error('error event'));
      socket.onmessage = ({ data }) => {
        if (typeof data === 'string') {
          same.push(data === text);
        } else {
          const got = new Uint8Array(data);
          same.push(got.length === bytes.length && got.every((byte, i) => byte === bytes[i]));
        }
        if (same.length === 3) socket.close(1000);
      };
      socket.onclose = ({ wasClean }) => resolve({ same, wasClean, extensions: socket.extensions });
    }), [tap.url, text]);
    const on = !options.includes('--no-deflate');
    assert.deepEqual(result.same, [true, true, true]);
    assert.equal(result.wasClean, true);
    assert.equal(result.extensions.startsWith('permessage-deflate'), on, result.extensions);
    const wire = tap.webSocket();
    negotiated(wire, on);
    for (const direction of ['sent', 'received']) {
      const { frames } = wire[direction];
      if (on) compressed(wire[direction], 1, text.length / 3, `the text ${direction}`);
      else assert.ok(frames.every(({ rsv }) => rsv === 0), 'reserved bits');
    }
  }, 90);
}

/** What comes of `new WebSocket(url, protocols)` in the page. */
function attempt(page, url, protocols) {
  return page.evaluate(([to, names]) => new Promise((resolve) => {
    const socket = new WebSocket(to, names);
    const events = [];
    socket.onopen = () => {
      events.push(`open ${socket.protocol}`);
      socket.close(1000);
    };
    socket.onerror = () => events.push('error');
    socket.onclose = ({ code }) => resolve([...events, `close ${code}`]);
  }), [url, protocols]);
}

check('chromium: a subprotocol the server knows is negotiated, another is an error event', async (t) => {
  const { server, page } = await open(t, '--subprotocol', 'chat');
  assert.deepEqual(await attempt(page, server.url, ['superchat', 'chat']), ['open chat', 'close 1000']);
  assert.deepEqual(await attempt(page, server.url, ['superchat']), ['error', 'close 1006']);
}, 90);

runChecks();
