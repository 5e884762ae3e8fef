/**
 * A job's history as pictures, and lists of runs as files, in a browser: a year of squares that are
 * reached by keys and lead to their runs, durations as dots, empty states, a phone, a dark screen, the
 * other language.
 */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import type { HistoryRecord } from '../../shared/history/records.ts';
import { launchBrowser, type TestBrowser } from '../support/browser.ts';
import { ConsolePage } from '../support/console-page.ts';
import { ended, notRun, runFacts, seededRandom } from '../support/history-samples.ts';
import { startMesh, type TestMesh } from '../support/mesh.ts';

const dayMs = 86_400_000;
const zone = 'Asia/Kolkata';
const zoneOffsetMs = 330 * 60_000;

describe('numbers of a job in the console', { concurrency: false }, () => {
  let mesh: TestMesh;
  let browser: TestBrowser;
  let url: string;
  /** UTC midnight of the day it is in the zone. */
  let today: number;

  before(async () => {
    mesh = await startMesh();
    browser = await launchBrowser();
    await mesh.putKey(mesh.keys.setting('history'), '{"maxAgeDays":36500}');
    ({ url } = await mesh.startMaster());
    const job = { command: 'true', cronExpr: '0 0 1 1 *', timezone: zone, enabled: false };
    await mesh.putJob({ name: 'report', ...job });
    await mesh.putJob({ name: 'fresh', ...job });
    today = Math.floor((Date.now() + zoneOffsetMs) / dayMs) * dayMs;
    await (await mesh.store()).ingest(yearOf(today - zoneOffsetMs));
  });

  after(async () => {
    await browser?.close();
    await mesh?.stop();
  });

  const dateOf = (daysAgo: number): string =>
    new Date(today - daysAgo * dayMs).toISOString().slice(0, 10);

  it('a square a day, by keys and by the pointer, and to the runs of that day', async () => {
    const view = await ConsolePage.open(browser, url, { width: 1440, height: 900 });
    await view.visit('/jobs/report');
    const calendar = view.by('heat-calendar');
    const day = (daysAgo: number) => calendar.locator(`[data-date="${dateOf(daysAgo)}"]`);
    await day(1).waitFor();
    assert.equal(await calendar.locator('a').count(), 300);
    assert.match((await day(1).getAttribute('class')) ?? '', /succeeded/);
    assert.match((await day(10).getAttribute('class')) ?? '', /mixed/);
    assert.match((await day(20).getAttribute('class')) ?? '', /failed/);
    assert.match((await day(30).getAttribute('class')) ?? '', /not-run/);
    await view.by('duration-trend').waitFor();
    await view.seesText(view.by('job-numbers'), /p50 .* · p95 .*slower than before/s);
    await view.screenshot('numbers-desktop-light');

    // One stop for the tab key, then the arrows.
    assert.equal(await calendar.locator('a[tabindex="0"]').count(), 1);
    await day(1).focus();
    await view.page.keyboard.press('ArrowLeft');
    await view.page.keyboard.press('ArrowUp');
    await view.page.keyboard.press('ArrowUp');
    const focused = 'document.activeElement?.getAttribute("data-date")';
    assert.equal(await view.page.evaluate(focused), dateOf(10));
    await view.seesText(view.page.getByRole('tooltip'), /75%.*3\s+succeeded.*1\s+failed/s);
    await view.screenshot('numbers-tooltip');
    await view.page.keyboard.press('Enter');
    await view.until('the runs of that day', async () => view.path === '/runs');
    await view.by('window-chip').waitFor();
    await view.seesText(view.page.getByRole('table'), /report/);
    await view.seesText(view.page.locator('.list-foot'), /^4 shown/);

    // Files have the filters of the list.
    const [download] = await Promise.all([
      view.page.waitForEvent('download'),
      view.by('export-csv').click(),
    ]);
    assert.equal(download.suggestedFilename(), 'cronmesh-runs.csv');
    const lines = (await readFile(await download.path(), 'utf8')).trimEnd().split('\r\n');
    assert.equal(lines.length, 5);
    assert.ok(lines.slice(1).every((line) => line.includes(',report,')));
    await view.screenshot('numbers-runs-of-day');
    await view.by('window-chip').getByRole('button').click();
    await view.by('window-chip').waitFor({ state: 'detached' });
    view.assertQuiet();
    await view.close();
  });

  it('a job that has not run yet is told what to do', async () => {
    const view = await ConsolePage.open(browser, url);
    await view.visit('/jobs/fresh');
    await view.seesText(view.by('days-empty'), /No day to show yet.*curl -X POST/s);
    await view.seesText(view.by('job-numbers'), /Two runs that have ended make a trend/);
    await view.screenshot('numbers-empty');
    view.assertQuiet();
    await view.close();
  });

  it('on a phone, in the dark, in the other language', async () => {
    for (const [name, options] of [
      ['phone-light', { phone: true }],
      ['phone-dark-zh', { phone: true, colorScheme: 'dark', locale: 'zh-CN' }],
      ['desktop-dark', { width: 1440, height: 900, colorScheme: 'dark' }],
      ['narrow', { width: 1000, height: 1100 }],
    ] as const) {
      const view = await ConsolePage.open(browser, url, options);
      await view.visit('/jobs/report');
      const newest = view.by('heat-calendar').locator('a').last();
      await newest.waitFor();
      await view.by('duration-trend').waitFor();
      await view.by('job-numbers').scrollIntoViewIfNeeded();
      // The newest day is in sight without scrolling; the page itself never scrolls sideways.
      const box = await newest.boundingBox();
      const width = view.page.viewportSize()?.width ?? 0;
      assert.ok(box !== null && box.x > 0 && box.x + box.width <= width, name);
      assert.equal(await view.sidewaysPx(), 0, name);
      if (name.includes('zh')) await view.seesText(view.by('job-numbers'), /每日成功率.*运行用时/s);
      await view.screenshot(`numbers-${name}`);
      await view.visit('/runs');
      await view.by('export-jsonl').waitFor();
      assert.equal(await view.sidewaysPx(), 0, name);
      await view.screenshot(`numbers-runs-${name}`);
      view.assertQuiet();
      await view.close();
    }
  });
});

/** 300 days of four runs each: a bad day, days of failures, days on which nothing was there. */
function yearOf(today: number): HistoryRecord[] {
  const random = seededRandom(7);
  return Array.from({ length: 300 }, (_, index) => index + 1).flatMap((daysAgo) => {
    const midnight = today - daysAgo * dayMs;
    if (daysAgo % 30 === 0) {
      const toTick = midnight + dayMs / 2;
      return [notRun(`gap-${daysAgo}`, { job: 'report', fromTick: toTick - 1, toTick, count: 1 })];
    }
    return [1, 7, 13, 19].map((hour) => {
      const tick = midnight + hour * 3_600_000;
      const fails = daysAgo % 20 === 0 || (daysAgo % 10 === 0 && hour === 7);
      const tookMs = Math.round((daysAgo < 25 ? 4_000 : 2_000) * (0.7 + random() ** 3));
      return ended(runFacts(`${daysAgo}-${hour}`, { job: 'report', tick }), {
        outcome: fails ? 'failed' : 'succeeded',
        startedAt: tick,
        endedAt: tick + tookMs,
      });
    });
  });
}
