/**
 * The console in a browser, with everything watched that must not happen: complaints of the browser,
 * violations of the content security policy, requests to anywhere but the master.
 */
import assert from 'node:assert/strict';
import type { Locator, Page } from 'playwright-core';
import type { PageOptions, TestBrowser } from './browser.ts';
import { waitFor } from './server-process.ts';

/** Chromium's own line for an answer that the console expects: a schedule that is refused. */
const expectedComplaint = /^console: Failed to load resource: .* status of 422 /;

const reportViolations = `addEventListener('securitypolicyviolation', (event) => {
  console.error('policy: ' + event.violatedDirective + ' stopped ' + event.blockedURI);
});`;

export class ConsolePage {
  readonly page: Page;
  readonly #url: string;
  readonly #complaints: readonly string[];
  readonly #screenshot: (name: string) => Promise<string>;
  readonly #close: () => Promise<void>;
  readonly #strangers: string[] = [];

  /** `url` is the master's, without a slash at its end. */
  static async open(
    browser: TestBrowser,
    url: string,
    options: PageOptions = {},
  ): Promise<ConsolePage> {
    const opened = await browser.openPage(options);
    const { page, complaints } = opened;
    await page.addInitScript({ content: reportViolations });
    return new ConsolePage(
      page,
      url,
      complaints,
      (name) => opened.screenshot(name),
      () => opened.close(),
    );
  }

  private constructor(
    page: Page,
    url: string,
    complaints: readonly string[],
    screenshot: (name: string) => Promise<string>,
    close: () => Promise<void>,
  ) {
    this.page = page;
    this.#url = url;
    this.#complaints = complaints;
    this.#screenshot = screenshot;
    this.#close = close;
    page.on('request', (request) => {
      const asked = request.url();
      if (!asked.startsWith(`${url}/`) && !/^(data|blob):/.test(asked)) this.#strangers.push(asked);
    });
  }

  /** A full load, as from the address bar. */
  async visit(path: string): Promise<void> {
    await this.page.goto(`${this.#url}${path}`, { waitUntil: 'load' });
  }

  get path(): string {
    return new URL(this.page.url()).pathname;
  }

  by(testId: string): Locator {
    return this.page.getByTestId(testId);
  }

  /** The text of a locator now; undefined when it is not there. */
  async textOf(locator: Locator): Promise<string | undefined> {
    return (await locator.allInnerTexts())[0];
  }

  /** Resolves with the text once it matches. */
  async seesText(locator: Locator, wanted: RegExp, timeoutMs = 15_000): Promise<string> {
    let text: string | undefined;
    return waitFor(
      async () => {
        text = await this.textOf(locator);
        return text !== undefined && wanted.test(text) ? text : undefined;
      },
      { timeoutMs, describe: () => `${String(wanted)} at ${this.path}; it says: ${text}` },
    );
  }

  async until(what: string, check: () => Promise<boolean>, timeoutMs = 15_000): Promise<void> {
    await waitFor(check, { timeoutMs, describe: () => `${what}, at ${this.path}` });
  }

  /** How far the page can be scrolled sideways, in pixels. */
  async sidewaysPx(): Promise<number> {
    return this.page.evaluate<number>(
      'document.documentElement.scrollWidth - document.documentElement.clientWidth',
    );
  }

  async screenshot(name: string): Promise<void> {
    await this.#screenshot(name);
  }

  /** Throws when anything of what is watched has happened. */
  assertQuiet(): void {
    assert.deepEqual(
      this.#complaints.filter((text) => !expectedComplaint.test(text)),
      [],
      'the browser has nothing to complain of',
    );
    assert.deepEqual(this.#strangers, [], 'nothing is asked of anybody but the master');
  }

  async close(): Promise<void> {
    await this.#close();
  }
}
