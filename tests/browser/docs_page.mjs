// The page that shows the document, in a browser: usage: node docs_page.mjs ADDRESS CHROMIUM
//
// Anything that is not as it should be is an exception; ends with 0 otherwise.
import assert from 'node:assert/strict';

import {openBrowser, runChecks} from './pages.mjs';

const [address, chromium] = process.argv.slice(2);
const {browser, open} = await openBrowser(chromium);
const url = `${address}/api/docs`;

const sendIn = async (page, id) => {
  await page.locator(`${id} button[type=submit]`).click();
  await page.waitForFunction((id) => {
    const note = document.querySelector(`${id} .answer .line .note`);
    return note && !note.textContent.includes('so far');
  }, id);
  return {status: await page.locator(`${id} .answer .status`).innerText(),
    body: await page.locator(`${id} .answer > pre`).textContent()};
};

const checks = {
  async 'fits phones and desktops, light and dark'() {
    for (const colorScheme of ['light', 'dark']) {
      for (const width of [390, 1280]) {
        const page = await open(url, {colorScheme, viewport: {width, height: 844}});
        await page.locator('.card').first().waitFor();
        for (const summary of await page.locator('.card > summary').all()) await summary.click();
        const [wide, colour] = await page.evaluate(() => [document.documentElement.scrollWidth,
          getComputedStyle(document.body).backgroundColor]);
        assert.ok(wide <= width, `${wide} pixels on a screen of ${width}`);
        const bright = colour.match(/\d+/g).map(Number).reduce((sum, one) => sum + one) > 384;
        assert.equal(bright, colorScheme === 'light', `${colorScheme}: ${colour}`);
        await page.close();
      }
    }
  },

  async 'lists operations by tag, and finds them'() {
    const page = await open(url);
    await page.locator('#operation-makeThing').waitFor();
    assert.deepEqual(await page.locator('#operations > section > h2').allInnerTexts(),
      ['things', 'Other']);
    assert.equal(await page.locator('#operations .card').count(), 4);
    assert.equal(await page.locator('#operation-dropThing .flag').innerText(), 'deprecated');
    await page.fill('#filter', 'delete thing');
    assert.deepEqual(await page.locator('#operations .card:visible .badge').allInnerTexts(),
      ['DELETE']);
    await page.fill('#filter', 'no such thing');
    assert.equal(await page.locator('#state').innerText(), 'No operation fits the filter.');
    await page.close();
  },

  async 'can be used by the keyboard alone'() {
    const page = await open(`${url}#operation-secret`);
    await page.locator('#operation-secret[open] .try').waitFor();
    await page.keyboard.press('Enter');  // the summary has the focus: it closes, and opens again
    await page.locator('#operation-secret:not([open])').waitFor();
    await page.keyboard.press('Enter');
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Send');
    await page.keyboard.press('Enter');
    await page.locator('#operation-secret .answer .status').waitFor();
    await page.reload();
    await page.keyboard.press('Tab');
    await page.close();
  },

  async 'shows what a body is made of, level by level'() {
    const page = await open(url);
    const card = page.locator('#operation-makeThing');
    await card.locator('> summary').click();
    const fields = card.locator('section', {hasText: 'Body'}).first();
    assert.deepEqual(await fields.locator('.row > .line > .name').allInnerTexts(),
      ['name', 'count', 'parts']);
    await fields.locator('.nested > summary').click();
    await fields.locator('.nested .name').first().waitFor();
    assert.deepEqual(await fields.locator('.nested .name').allInnerTexts(), ['label', 'size']);
    assert.match(await fields.innerText(), /1 to 20 characters/);
    await page.close();
  },

  async 'sends what is filled in and shows what comes'() {
    const page = await open(url);
    await page.locator('#operation-makeThing > summary').click();
    let answer = await sendIn(page, '#operation-makeThing');
    assert.equal(answer.status, '201 Created');
    assert.deepEqual(JSON.parse(answer.body), {name: 'text', count: 1, parts: []});
    await page.fill('#operation-makeThing textarea', '{"name": ""}');
    answer = await sendIn(page, '#operation-makeThing');
    assert.equal(answer.status, '422 Unprocessable Content');
    assert.match(answer.body, /must have at least 1 character/);

    await page.locator('#operation-showThing > summary').click();
    const inputs = page.locator('#operation-showThing form :is(input, textarea)');
    for (const [at, text] of ['7', 'a b/c?', 'x & y', '3\n4'].entries()) {
      await inputs.nth(at).fill(text);
    }
    answer = await sendIn(page, '#operation-showThing');
    const thing = JSON.parse(answer.body);
    assert.equal(thing.name, 'x & y a b/c?');
    assert.equal(thing.count, 7);
    assert.equal(thing.parts[0].size, 4);
    await page.locator('#operation-showThing .answer summary', {hasText: 'Headers'}).click();
    assert.match(await page.locator('#operation-showThing .headers').innerText(),
      /application\/json/);

    await page.locator('#operation-dropThing > summary').click();
    await page.locator('#operation-dropThing form input').fill('1');
    answer = await sendIn(page, '#operation-dropThing');
    assert.equal(answer.status, '204 No Content');
    await page.close();
  },

  async 'gives a secret to the operations that need it'() {
    const page = await open(url);
    await page.locator('#operation-secret > summary').click();
    assert.equal((await sendIn(page, '#operation-secret')).body, 'none');
    await page.locator('#access > summary').click();
    await page.fill('#access input', 'abc');
    assert.equal((await sendIn(page, '#operation-secret')).body, 'Bearer abc');
    await page.close();
  },

  async 'shows words as words'() {
    const page = await open(url);
    await page.locator('#operation-makeThing').waitFor();
    for (const summary of await page.locator('.card > summary').all()) await summary.click();
    await page.locator('#operation-showThing form input').first().fill('1');
    await page.locator('#operation-showThing form input').nth(2).fill('w');
    await sendIn(page, '#operation-showThing');
    assert.equal(await page.evaluate(() => window.broken), undefined);
    assert.equal(await page.locator('img, b, i:not(.path i), u').count(), 0);
    assert.match(await page.title(), /<img src=x/);
    await page.close();
  },
};

const failed = await runChecks(checks);
await browser.close();
process.exit(failed === 0 ? 0 : 1);
