// Headless Chromium, for the files that show it a page.
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { chromium } = require('playwright-core');

/** A browser with a fresh profile, showing the page of this server; `more` are arguments for it. */
async function show(t, server, ...more) {
  const profile = fs.mkdtempSync(path.join(process.env.INTEROP_WORK, 'chromium-'));
  t.after(() => fs.rmSync(profile, { recursive: true, force: true, maxRetries: 5 }));
  const browser = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM,
    headless: true,
    timeout: 60000,
    args: [
      '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
      '--disable-background-networking', '--disable-component-update', '--disable-sync',
      ...more,
    ],
  });
  t.after(() => browser.close());
  const page = await browser.newPage();
  page.setDefaultTimeout(10000);
  const requests = [];
  const errors = [];
  page.on('request', (request) => requests.push(request.url()));
  page.on('pageerror', (error) => errors.push(error.message));
  await page.goto(`${server.origin}/`);
  return { server, page, browser, requests, errors };
}

async function state(page, wanted) {
  await page.waitForFunction(
    (text) => document.querySelector('#state')?.textContent.trim() === text, wanted,
  ).catch(async (error) => {
    throw new Error(`#state is '${await page.textContent('#state')}', not '${wanted}': ${error.message}`);
  });
}

async function line(page, kind, text) {
  await page.locator(`#log .${kind}`, { hasText: text }).first().waitFor().catch(async () => {
    throw new Error(`no .${kind} line with '${text}' in #log: ${await page.textContent('#log')}`);
  });
}

module.exports = { line, show, state };
