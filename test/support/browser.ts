/**
 * A real Chromium for end-to-end tests, driven by playwright-core: headless, a fresh profile for
 * every launch, no traffic of its own. Pages collect what the browser complained about (console
 * errors, uncaught exceptions, failed requests), so that a test can assert that nothing did.
 * Screenshots go to test/e2e/screenshots, which git ignores.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { chromium, type Browser, type Page } from 'playwright-core';
import { findProgram, projectRoot } from './programs.ts';

const launchTimeoutMs = 60_000;
const actionTimeoutMs = 15_000;

export interface PageOptions {
  readonly width?: number;
  readonly height?: number;
  readonly colorScheme?: 'light' | 'dark';
  readonly locale?: string;
  /** Narrow and touched, as a phone's browser is. */
  readonly phone?: boolean;
}

export interface OpenedPage {
  readonly page: Page;
  /** Console errors, uncaught exceptions and failed requests so far, oldest first. */
  readonly complaints: readonly string[];
  /** Writes test/e2e/screenshots/<name>.png and returns its path. */
  screenshot(name: string): Promise<string>;
  close(): Promise<void>;
}

export interface TestBrowser {
  /** A page in a browser context of its own (nothing shared with other pages). */
  openPage(options?: PageOptions): Promise<OpenedPage>;
  close(): Promise<void>;
}

export async function launchBrowser(): Promise<TestBrowser> {
  const browser = await chromium.launch({
    executablePath: findProgram('chromium'),
    headless: true,
    timeout: launchTimeoutMs,
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--disable-dev-shm-usage',
    ],
  });
  return {
    openPage: (options = {}) => openPage(browser, options),
    close: () => browser.close(),
  };
}

async function openPage(browser: Browser, options: PageOptions): Promise<OpenedPage> {
  const phone = options.phone === true;
  const context = await browser.newContext({
    viewport: {
      width: options.width ?? (phone ? 390 : 1280),
      height: options.height ?? (phone ? 844 : 800),
    },
    colorScheme: options.colorScheme ?? 'light',
    locale: options.locale ?? 'en-GB',
    ...(phone ? { isMobile: true, hasTouch: true, deviceScaleFactor: 2 } : {}),
  });
  context.setDefaultTimeout(actionTimeoutMs);
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(`console: ${message.text()}`);
  });
  page.on('pageerror', (error) => complaints.push(`uncaught: ${error.message}`));
  page.on('requestfailed', (request) => {
    const reason = request.failure()?.errorText ?? 'unknown';
    // A page that is left cancels its live streams; nothing failed.
    if (reason !== 'net::ERR_ABORTED') complaints.push(`request ${request.url()}: ${reason}`);
  });
  return {
    page,
    complaints,
    async screenshot(name) {
      const folder = join(projectRoot(), 'test', 'e2e', 'screenshots');
      await mkdir(folder, { recursive: true });
      const path = join(folder, `${name}.png`);
      await page.screenshot({ path });
      return path;
    },
    close: () => context.close(),
  };
}
