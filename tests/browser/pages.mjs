// What tests of pages share: the browser, pages that complain of errors, and how checks are run.
import {createRequire} from 'node:module';

// Lies in the build folder, which run.py says.
const require = createRequire(`${process.env.WEFT_BROWSER_MODULES}/`);
const {chromium} = require('playwright-core');

const WAIT_MS = 20_000;  // a guard against a test that hangs

export const openBrowser = async (executablePath) => {
  const browser = await chromium.launch({executablePath, args: ['--no-sandbox',
    '--disable-dev-shm-usage', '--disable-background-networking', '--no-proxy-server']});
  // A page at an address; what it logs as an error, or does not catch, ends the test.
  const open = async (url, options = {}) => {
    const page = await browser.newPage({viewport: {width: 1280, height: 900}, ...options});
    page.setDefaultTimeout(WAIT_MS);
    const complain = (text) => {
      // A status that a test asked for is logged as an error, too.
      if (/Failed to load resource/.test(text)) return;
      console.log(`the page says: ${text}`);
      process.exitCode = 1;
      setImmediate(() => process.exit(1));
    };
    page.on('console', (message) => message.type() === 'error' && complain(message.text()));
    page.on('pageerror', (error) => complain(String(error)));
    await page.goto(url);
    return page;
  };
  return {browser, open};
};

// Runs all, by name, and returns how many failed.
export const runChecks = async (checks) => {
  let failed = 0;
  for (const [name, check] of Object.entries(checks)) {
    try {
      await check();
      console.log(`ok: ${name}`);
    } catch (error) {
      ++failed;
      console.log(`FAILED: ${name}\n${error.stack}`);
    }
  }
  return failed;
};
