// The demonstration's page, in a browser: usage: node demo_page.mjs ADDRESS CHROMIUM
//
// Anything that is not as it should be is an exception; ends with 0 otherwise.
import assert from 'node:assert/strict';

import {openBrowser, runChecks} from './pages.mjs';

const [address, chromium] = process.argv.slice(2);
const {browser, open} = await openBrowser(chromium);

const textOf = (page, selector) => page.locator(selector).innerText();
// Waits until a place says what fits.
const says = (page, selector, pattern) =>
  page.locator(selector).filter({hasText: pattern}).waitFor();

const checks = {
  async 'fits phones and desktops, light and dark'() {
    for (const colorScheme of ['light', 'dark']) {
      for (const width of [390, 1280]) {
        const page = await open(address, {colorScheme, viewport: {width, height: 844}});
        await page.click('#order-mistakes');
        await says(page, '#order .status', /^422/);
        await page.click('#packed-button');
        await says(page, '#packed .status', /^200/);
        const [wide, colour] = await page.evaluate(() => [document.documentElement.scrollWidth,
          getComputedStyle(document.body).backgroundColor]);
        assert.ok(wide <= width, `${wide} pixels on a screen of ${width}`);
        const bright = colour.match(/\d+/g).map(Number).reduce((sum, one) => sum + one) > 384;
        assert.equal(bright, colorScheme === 'light', `${colorScheme}: ${colour}`);
        await page.close();
      }
    }
  },

  async 'is told the figures, and asks for them when there is no stream'() {
    const page = await open(address);
    await says(page, '#state', 'pushed by the server');
    await says(page, '#rate', /^\d/);
    assert.match(await textOf(page, '#uptime'), /^\d/);
    assert.match(await textOf(page, '#backend'), /^(io_uring|epoll)$/);
    await page.close();

    const refused = await browser.newPage();
    await refused.route('**/api/events', (route) => route.fulfill({status: 503}));
    await refused.goto(address);
    await says(refused, '#state', 'asked for once a second');
    await says(refused, '#rate', /^\d/);
    await refused.close();
  },

  async 'parks a hundred green threads'() {
    const page = await open(address);
    await page.click('#park-button');
    await says(page, '#park-said', /^All 100 woke after/);
    assert.equal(await page.locator('#cells i.done').count(), 100);
    await page.close();
  },

  async 'asks for a user and for an echo, and shows words as words'() {
    const page = await open(address);
    const words = '<img src=x onerror="window.broken=1">&/?#';
    await page.fill('#id', words);
    await page.click('#route form button');
    await says(page, '#route .status', /^200/);
    assert.deepEqual(JSON.parse(await textOf(page, '#route pre >> nth=0')), {id: words});
    await page.fill('#text', words);
    await page.click('#echo form button');
    await says(page, '#echo .status', /^200 text\/plain/);
    assert.equal(await textOf(page, '#echo pre >> nth=0'), words);
    assert.equal(await page.evaluate(() => window.broken), undefined);
    assert.equal(await page.locator('img').count(), 0);
    await page.close();
  },

  async 'orders, and is told of all mistakes'() {
    const page = await open(address);
    await page.click('#order form button >> nth=0');
    await says(page, '#order .status', /^201/);
    assert.deepEqual(JSON.parse(await textOf(page, '#order output pre')),
      {name: 'Ada', weave: 'plain', metres: 12, cents: 3600});
    await page.fill('#order-metres', 'many');
    await page.click('#order form button >> nth=0');
    await says(page, '#order .status', /^422/);
    await says(page, '#order output pre', 'must be an integer');
    await page.click('#order-mistakes');
    await says(page, '#order output pre', 'must be an e-mail address');
    const {errors} = JSON.parse(await textOf(page, '#order output pre'));
    assert.deepEqual(errors.map(({field}) => field), ['name', 'weave', 'metres', 'mail']);
    await page.close();
  },

  async 'uploads a file, and is told when it is too large'() {
    const page = await open(address);
    const choose = (name, size) => page.setInputFiles('#file',
      {name, mimeType: 'image/png', buffer: Buffer.alloc(size)});
    await page.click('#upload form button');
    await says(page, '#upload .status', 'Choose a file first.');
    await choose('pattern.png', 5000);
    await page.click('#upload form button');
    await says(page, '#upload .status', /^200/);
    assert.deepEqual(JSON.parse(await textOf(page, '#upload output pre')),
      {name: 'pattern.png', size: 5000, type: 'image/png'});
    await choose('large.png', 2 * 1024 * 1024);
    await page.click('#upload form button');
    await says(page, '#upload .status', /^413/);
    await page.close();
  },

  async 'counts visits until they begin anew'() {
    const context = await browser.newContext();
    const page = await context.newPage();
    for (const visits of ['1', '2', '3']) {
      await page.goto(address);
      await says(page, '#visits-count', visits);
    }
    await page.click('#visits-reset');
    await says(page, '#visits-count', '0');
    await page.reload();
    await says(page, '#visits-count', '1');
    assert.equal(await page.evaluate(() => document.cookie), '');
    await context.close();
  },

  async 'is held back when it asks too often'() {
    const page = await open(address);
    // One more may be let in every two seconds.
    for (let asked = 0; asked < 100; ++asked) {
      const answer = page.waitForResponse('**/limited');
      await page.click('#limited-button');
      if ((await answer).status() === 429) break;
    }
    await says(page, '#limited .status', /^429 Too Many Requests, Retry-After: [12] s$/);
    assert.ok(await page.locator('#limited-chips i.failed').count() > 0);
    await page.close();
  },

  async 'shows what packing saves, and gets nothing twice'() {
    const page = await open(address);
    await page.click('#packed-button');
    await says(page, '#packed .status', /^200, (zstd|br|gzip)$/);
    const wire = parseFloat(await textOf(page, '#packed-wire-size'));
    const all = parseFloat(await textOf(page, '#packed-all-size'));
    assert.ok(wire > 1 && wire * 2 < all, `${wire} of ${all} kB`);
    await page.click('#packed-again');
    await says(page, '#packed .status', /^304 Not Modified/);
    await page.close();
  },

  async 'can be used by the keyboard alone'() {
    const page = await open(address);
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement.textContent),
      'Skip to the demonstration');
    await page.keyboard.press('Enter');
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement.id), 'park-button');
    await page.keyboard.press('Enter');
    await says(page, '#park-said', /^All 100 woke after/);
    const reached = new Set();
    for (let presses = 0; presses < 40; ++presses) {
      await page.keyboard.press('Tab');
      reached.add(await page.evaluate(() => document.activeElement.id));
    }
    for (const id of ['id', 'order-name', 'order-weave', 'order-mistakes', 'file', 'text',
      'visits-reset', 'limited-button', 'packed-button']) {
      assert.ok(reached.has(id), id);
    }
    await page.close();
  },

  async 'links to what there is'() {
    const page = await open(address);
    const links = await page.locator('nav a').evaluateAll((all) => all.map((one) => one.href));
    assert.equal(links.length, 5);
    for (const link of links) assert.equal((await page.request.get(link)).status(), 200, link);
    await page.click('nav a >> nth=0');
    await page.locator('#operations .card').first().waitFor();
    await page.close();
  },
};

const failed = await runChecks(checks);
await browser.close();
process.exit(failed === 0 ? 0 : 1);
