/**
 * The console with 100,000 jobs in a real browser, while runs begin and end and people edit: from a click
 * to the first page of jobs on the screen, from a key to what it finds, scrolling, and what watching
 * costs; against the same browser and a page that draws as many rows of plain text at a click.
 */
import type { Page } from 'playwright-core';
import { z } from 'zod';
import { launchBrowser } from '../support/browser.ts';
import { startMesh } from '../support/mesh.ts';
import { quantile, type Figure } from './figures.ts';
import { fillHistory, fillMesh, liveOn } from './master-changes.ts';
import { startMaster, type Start } from './master-start.ts';

const jobCount = 100_000;
const clicks = 12;
const eventsPerSecond = 100;
const row = '[data-testid^=job-row]';

export async function benchConsole(): Promise<Figure[]> {
  const mesh = await startMesh();
  const browser = await launchBrowser();
  const stop = new AbortController();
  let master: Start | undefined;
  try {
    await fillMesh(mesh, jobCount);
    await fillHistory(mesh);
    master = await startMaster(mesh);
    const living = liveOn(mesh, jobCount, eventsPerSecond, stop.signal);
    const { page } = await browser.openPage();
    await page.addInitScript(inPage);
    await page.goto(master.url);
    await page.waitForSelector(row);
    const [painted, plain, found]: [number[], number[], number[]] = [[], [], []];
    for (let click = 0; click < clicks; click++) {
      await page.click('a[href="/workers"]');
      await page.waitForSelector(row, { state: 'detached' });
      await resting(page);
      painted.push(await ask(page, z.number(), `click('nav a[href^="/"]', '${row}')`));
      await resting(page);
      plain.push(await ask(page, z.number(), 'plainRows()'));
      found.push(await keysToFound(page, `shard ${7_000 + click}`));
    }
    const frames = await ask(page, z.array(z.number()), 'frames(285)');
    const still = await ask(page, z.array(z.number()), 'frames(0)');
    stop.abort();
    await living;
    return [
      figure('click to the first page of jobs, p50', [quantile(painted, 0.5)], plain, 150),
      figure('click to the first page of jobs, worst', [Math.max(...painted)], plain),
      figure('last key to what is found, p50', [quantile(found, 0.5)], plain),
      figure('frame while scrolling 5 rows a frame, p50', [quantile(frames, 0.5)], still),
      figure('frame while scrolling 5 rows a frame, p99', [quantile(frames, 0.99)], still),
    ];
  } finally {
    stop.abort();
    await browser.close();
    await master?.process.stop();
    await mesh.stop();
  }
}

function figure(
  what: string,
  ours: readonly number[],
  base: readonly number[],
  most?: number,
): Figure {
  return {
    figure: `console, 100,000 jobs: ${what}`,
    unit: 'ms',
    ours,
    baseline: what.startsWith('frame') ? 'a frame that stands still' : 'as many rows of plain text',
    base: [quantile(base, 0.5)],
    better: 'less',
    ...(most === undefined ? {} : { goals: [{ of: 'ours', is: '<=', value: most } as const] }),
  };
}

/** Until what was asked for has come: the next click is not to wait for the one before it. */
async function resting(page: Page): Promise<void> {
  await page.waitForLoadState('networkidle', { timeout: 1_000 }).catch(() => undefined);
}

/** Run in the page itself, so that what drives the browser is not counted. */
const inPage = `
globalThis.bench = {
  untilShown: (isShown, began) =>
    new Promise((resolve) => {
      const look = () => {
        if (!isShown()) requestAnimationFrame(look);
        // After the frame that shows it.
        else requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - began)));
      };
      look();
    }),
  click: (clicked, awaited) => {
    const began = performance.now();
    document.querySelector(clicked).click();
    return bench.untilShown(() => document.querySelector(awaited) !== null, began);
  },
  plainRows: async () => {
    const began = performance.now();
    const box = document.createElement('div');
    for (let index = 0; index < 30; index++) {
      box.append(Object.assign(document.createElement('p'), { textContent: 'job ' + index }));
    }
    document.body.append(box);
    const tookMs = await bench.untilShown(() => true, began);
    box.remove();
    return tookMs;
  },
  found: (row, text) => {
    const rows = () => [...document.querySelectorAll(row)];
    const isFound = () => rows().length > 0 && rows().every((each) => each.innerHTML.includes(text));
    return bench.untilShown(isFound, performance.now());
  },
  frames: (by) =>
    new Promise((resolve) => {
      const frames = [];
      let last = performance.now();
      const next = () => {
        const now = performance.now();
        frames.push(now - last);
        last = now;
        scrollBy(0, by);
        if (frames.length < 120) requestAnimationFrame(next);
        else resolve(frames.slice(1));
      };
      requestAnimationFrame(next);
    }),
};
`;

async function ask<T extends z.ZodType>(page: Page, schema: T, what: string): Promise<z.output<T>> {
  return schema.parse(await page.evaluate(`bench.${what}`));
}

/** From the last of some keys until the list shows only what holds them. */
async function keysToFound(page: Page, text: string): Promise<number> {
  const field = page.getByTestId('search');
  await field.pressSequentially(text.slice(0, -1), { delay: 40 });
  await field.press(text.slice(-1));
  const tookMs = await ask(page, z.number(), `found('${row}', '${text}')`);
  await field.fill('');
  return tookMs;
}
