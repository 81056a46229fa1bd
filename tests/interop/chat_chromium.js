// Headless Chromium on the page of the chat, while its server and Redis die and come back.
'use strict';

const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const { show, state } = require('./browser.js');
const { assert, check, runChecks, sleep } = require('./lib.js');

async function freePort() {
  const server = net.createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A redis-server of the check's own. */
async function redis(t) {
  const dir = fs.mkdtempSync(path.join(process.env.INTEROP_WORK, 'redis-'));
  t.after(() => fs.rmSync(dir, { recursive: true, force: true, maxRetries: 5 }));
  const port = await freePort();
  t.spawn('redis-server', [
    '--bind', '127.0.0.1', '--port', `${port}`, '--dir', dir, '--appendonly', 'yes', '--save', '',
  ]);
  return `redis://127.0.0.1:${port}`;
}

const chat = (t, addr, ...args) => t.server('chat', process.env.CHAT, ['--addr', addr, ...args]);

async function killed(server) {
  server.child.kill('SIGKILL');
  await server.exited;
}

async function come(page, name) {
  await page.fill('#name', name);
  await page.press('#name', 'Enter');
  await state(page, 'online');
}

async function say(page, text) {
  await page.fill('#text', text);
  await page.press('#text', 'Enter');
}

/** The texts of these lines, without time and name. */
const texts = (page, kind) => page.$$eval(`#log .${kind}`, (lines) => lines.map((line) => line.lastChild.data));

async function until(page, what, holds) {
  for (let tries = 0; tries < 300; tries += 1) {
    if (await holds()) return;
    await sleep(100);
  }
  throw new Error(`not ${what}: ${await page.textContent('body')}`);
}

const number = async (page, id) => Number(await page.textContent(`#${id}`));

async function shows(page, wanted) {
  await until(page, `showing ${wanted}`, async () => `${await texts(page, 'message')}` === `${wanted}`);
}

/** A picture of the page, if somebody wants to look at it. */
async function picture(page, name) {
  if (process.env.CHAT_PICTURES) {
    await page.screenshot({ path: path.join(process.env.CHAT_PICTURES, `${name}.png`) });
  }
}

check('chat, chromium: what one page says the other shows, and it is confirmed', async (t) => {
  const server = await chat(t, '127.0.0.1:0');
  const { page, browser, errors } = await show(t, server);
  await come(page, 'ada');
  const other = await browser.newPage();
  await other.goto(`${server.origin}/`);
  await other.fill('#name', 'ada');
  await other.press('#name', 'Enter');
  await until(other, 'refused', async () => await other.textContent('#refusal') === 'the name is taken');
  await come(other, 'bob');
  await say(page, 'héllo ✓ <b>');
  for (const each of [page, other]) await shows(each, ['héllo ✓ <b>']);
  await until(page, 'confirmed', async () => await number(page, 'confirmed') === 1);
  await until(page, 'measured', async () => / ms$/.test(await page.textContent('#round-trip')));
  await until(page, 'both', async () => await page.textContent('#present') === 'adabob');
  await say(other, '@ada psst');
  await until(page, 'told', async () => `${await texts(page, 'private')}` === 'psst');
  await picture(page, 'online');
  await other.close();
  await until(page, 'alone', async () => await page.textContent('#present') === 'ada');
  assert.deepEqual(errors, []);
}, 90);

check('chat, chromium: a killed server is waited for with a queue, and its history goes on', async (t) => {
  const store = await redis(t);
  let server = await chat(t, '127.0.0.1:0', '--redis', store);
  const addr = `127.0.0.1:${server.port}`;
  const { page, browser, errors } = await show(t, server);
  await come(page, 'ada');
  await say(page, 'one');
  await shows(page, ['one']);
  await killed(server);
  await state(page, 'reconnecting');
  await say(page, 'two');
  await say(page, 'three');
  await until(page, 'queued', async () => await number(page, 'queued') === 2);
  assert.deepEqual(await texts(page, 'waiting'), ['two', 'three']);
  await picture(page, 'reconnecting');
  // Meanwhile somebody says something through another server.
  const second = await chat(t, '127.0.0.1:0', '--redis', store);
  const other = await browser.newPage();
  await other.goto(`${second.origin}/`);
  await come(other, 'bob');
  await shows(other, ['one']);
  await say(other, 'meanwhile');
  await shows(other, ['one', 'meanwhile']);
  server = await chat(t, addr, '--redis', store);
  await state(page, 'online');
  for (const each of [page, other]) await shows(each, ['one', 'meanwhile', 'two', 'three']);
  assert.deepEqual(await texts(page, 'waiting'), []);
  assert.equal(await number(page, 'queued'), 0);
  assert.equal(await number(page, 'confirmed'), 3);
  assert.equal(await number(page, 'reconnects'), 1);
  await picture(page, 'resumed');
  assert.deepEqual(errors, []);
}, 90);

check('chat, chromium: a reload loses nothing that was said', async (t) => {
  const server = await chat(t, '127.0.0.1:0');
  const { page } = await show(t, server);
  await come(page, 'ada');
  await page.evaluate(() => { WebSocket.prototype.send = () => {}; });
  await say(page, 'into the void');
  await until(page, 'sent', async () => await number(page, 'sent') === 1);
  await page.reload();
  await shows(page, ['into the void']);
  assert.deepEqual(await texts(page, 'waiting'), []);
}, 90);

runChecks();
