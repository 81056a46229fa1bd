// Headless Chromium on the page of axum_server.
'use strict';

const { show, state } = require('./browser.js');
const { assert, check, connect, runChecks } = require('./lib.js');

/** The same page once more, with the response to its opening handshake. */
async function again({ browser, page }) {
  const session = await browser.newCDPSession(page);
  const came = new Promise((resolve) => {
    session.once('Network.webSocketHandshakeResponseReceived', ({ response }) => resolve(response));
  });
  await session.send('Network.enable');
  await page.reload();
  return came;
}

async function says(page, text) {
  await page.locator('#log li', { hasText: text }).first().waitFor();
}

check('axum, chromium: the page upgrades with compression', async (t) => {
  const shown = await show(t, await t.axumServer());
  const { status, headers } = await again(shown);
  const named = Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]),
  );
  assert.equal(status, 101);
  assert.match(named['sec-websocket-extensions'], /^permessage-deflate/);
  await state(shown.page, 'open (chat.v2)');
  assert.match(await shown.page.evaluate(() => websocket.extensions), /permessage-deflate/);
  assert.deepEqual(shown.errors, []);
}, 90);

check('axum, chromium: what one says is shown by two pages and reaches a client of ws', async (t) => {
  const server = await t.axumServer();
  const { browser, page } = await show(t, server);
  const second = await browser.newPage();
  await second.goto(server.origin.replace('127.0.0.1', 'localhost'));
  const ws = await connect(t, server.url, ['chat.v1'], { origin: server.origin });
  await state(page, 'open (chat.v2)');
  await state(second, 'open (chat.v2)');
  const text = `héllo ✓ <b>${'and again '.repeat(50)}</b>`;
  await page.fill('#text', text);
  await page.press('#text', 'Enter');
  for (const each of [page, second]) await says(each, text.slice(0, 40));
  assert.equal((await ws.messages.next()).data.toString(), text);
  ws.send('from elsewhere');
  for (const each of [page, second]) await says(each, 'from elsewhere');
}, 90);

check('axum, chromium: a page of another origin is refused', async (t) => {
  const elsewhere = await t.echoServer();
  const { url } = await t.axumServer();
  const { page } = await show(t, elsewhere);
  const events = await page.evaluate((to) => new Promise((resolve) => {
    const socket = new WebSocket(to);
    const seen = [];
    socket.onopen = () => seen.push('open');
    socket.onerror = () => seen.push('error');
    socket.onclose = ({ code }) => resolve([...seen, code]);
  }), url);
  assert.deepEqual(events, ['error', 1006]);
}, 90);

runChecks();
