/**
 * Calendars in the console, in a real browser on a real mesh: made with a wrong date and mended, seen
 * as a year, given to a job whose fires they hold back, not to be deleted under it, missed when they
 * are gone; and orders to kill, whose end the person who gave them is told.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { ApiClient } from '../support/api-client.ts';
import { launchBrowser, type TestBrowser } from '../support/browser.ts';
import { ConsolePage } from '../support/console-page.ts';
import { startMesh, type TestMesh } from '../support/mesh.ts';

const dayMs = 86_400_000;
const today = Date.now();
const dateOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10);

describe('calendars in the console', { concurrency: false }, () => {
  let mesh: TestMesh;
  let browser: TestBrowser;
  let api: ApiClient;
  let view: ConsolePage;

  before(async () => {
    mesh = await startMesh();
    browser = await launchBrowser();
    await mesh.startWorkers(['w1', 'w2']);
    const master = await mesh.startMaster();
    api = new ApiClient(master.url);
    view = await ConsolePage.open(browser, master.url);
  });

  after(async () => {
    await view?.close();
    await browser?.close();
    await mesh?.stop();
  });

  const day = (date: string) => view.page.locator(`[data-date="${date}"]`);
  const hasClass = async (date: string, wanted: string): Promise<boolean> =>
    ((await day(date).getAttribute('class')) ?? '').split(' ').includes(wanted);

  it('says what to do when there are none', async () => {
    await view.visit('/');
    await view.page.getByRole('link', { name: 'Calendars' }).click();
    await view.seesText(view.by('empty-state'), /curl -X PUT \S+\/api\/v1\/calendars\/holidays/);
    view.assertQuiet();
    // What is passed over second by second is a row a minute: it begins here, and is looked at later.
    const calendar = {
      mode: 'exclude',
      dates: [`${dateOf(today - dayMs)}..${dateOf(today + dayMs)}`],
    };
    const isNew = { 'If-None-Match': '*' };
    await api.expect('PUT', '/api/v1/calendars/freeze', calendar, isNew);
    await api.createJob({
      name: 'deploy',
      command: 'echo deployed',
      cronExpr: '* * * * * *',
      calendars: ['freeze'],
    });
  });

  it('says line by line what is wrong while dates are typed, and draws the year', async () => {
    await view.by('new-calendar').click();
    await view.by('name-input').fill('holidays');
    const dates = view.by('dates-input');
    await dates.fill('12-24..12-26\n2026-02-30\nSaturday');
    const error = await view.seesText(view.by('dates-error'), /Line 2[\s\S]*Line 3/);
    assert.match(
      error,
      /is no date of the calendar\s+expected a date that exists — got "2026-02-30"/,
    );
    assert.equal(await dates.getAttribute('aria-invalid'), 'true');
    const year = Number(dateOf(Date.now()).slice(0, 4));
    assert.ok(await hasClass(`${year}-12-25`, 'named'), 'what is right is drawn already');
    await view.screenshot('calendar-bad-dates');
    await view.by('save-calendar').click();
    assert.equal(view.path, '/calendars/new', 'nothing was saved');

    await dates.fill('12-24..12-26\nsat');
    await view.by('dates-error').waitFor({ state: 'detached' });
    await day(`${year}-03-02`).click();
    assert.equal(await dates.inputValue(), `12-24..12-26\nsat\n${year}-03-02\n`);
    assert.ok(await hasClass(`${year}-03-02`, 'named'));
    await day(`${year}-03-02`).click();
    assert.equal(await dates.inputValue(), '12-24..12-26\nsat\n');
    await view.by('save-calendar').click();
    await view.until('the calendar', async () => view.path === '/calendars/holidays');
    await view.by('year-view').waitFor();
    assert.ok(await hasClass(`${year}-12-24`, 'named'));
    assert.ok(!(await hasClass(`${year}-12-23`, 'named')) || isSaturday(`${year}-12-23`));
    assert.equal(await view.page.locator('.day.today').count(), 1, 'today is ringed');
    await view.by('year-after').click();
    assert.ok(await hasClass(`${year + 1}-12-24`, 'named'));
    assert.equal(await view.page.locator('.day.today').count(), 0);
    await view.screenshot('calendar');
    view.assertQuiet();
  });

  it('shows in the preview of a job what is passed over, and why', async () => {
    await view.visit('/jobs/new');
    await view.by('name-input').fill('release');
    await view.by('command-input').fill('echo released');
    await view.by('cron-input').fill('0 0 0/6 * * *');
    await view.by('calendar-freeze').click();
    const passed = view.by('passed-over');
    await view.seesText(passed.first(), /freeze/);
    await view.until('ten fires between', async () => {
      const rows = await view.by('preview-fires').locator('tbody tr').count();
      return rows === 10 + (await passed.count());
    });
    await view.screenshot('editor-calendars');
    await view.by('save-job').click();
    await view.until('the page of the job', async () => view.path === '/jobs/release');
    await view.seesText(view.by('job-calendars'), /freeze/);
    await view.seesText(view.by('passed-over').first(), /freeze/);
    view.assertQuiet();
  });

  it('tells who ordered a kill how it ended', async () => {
    await api.createJob({
      name: 'stubborn',
      command: 'trap "" TERM; sleep 600',
      cronExpr: '0 0 0 1 1 *',
      killGraceSeconds: 3,
    });
    await api.createJob({ name: 'short', command: 'sleep 2', cronExpr: '0 0 0 1 1 *' });
    await api.expect('POST', '/api/v1/jobs/stubborn/run', {});
    await view.visit('/jobs/stubborn');
    await view.by('kill').click();
    await view.by('confirm').click();
    await view.seesText(view.by('kill'), /Killing/);
    await view.page.locator('.run-row [data-row-link]').first().click();
    await view.until('the run', async () => view.path.startsWith('/runs/'));
    await view.seesText(view.by('kill-order'), /kill ordered by .*waiting for w\d/);
    await view.screenshot('kill-ordered');
    await view.seesText(view.by('toast').filter({ hasText: 'was killed' }), /stubborn was killed/);
    const outcome = view.by('run-outcome');
    await view.until(
      'killed',
      async () => (await outcome.getAttribute('data-outcome')) === 'killed',
    );

    // It ends by itself while the person makes up their mind.
    await api.expect('POST', '/api/v1/jobs/short/run', {});
    await view.visit('/jobs/short');
    await view.by('kill').click();
    await view.by('confirm-dialog').waitFor();
    await view.until('the end of the run', async () => {
      const [row] = await api.rows('job=short');
      return row?.outcome === 'succeeded';
    });
    await view.by('confirm').click();
    await view.seesText(view.by('toast'), /Nothing to kill: no run of short was open/);
    view.assertQuiet();
  });

  it('shows fires that were held back as rows, with the reason', async () => {
    await view.visit('/jobs/deploy');
    const row = view.page.locator('.run-row', { hasText: 'skipped' }).first();
    await view.seesText(row, /calendar "freeze" excludes \d{4}-\d\d-\d\d[\s\S]*\d+ fires/, 90_000);
    assert.deepEqual(await api.rows('job=deploy&outcome=succeeded'), []);
    await view.screenshot('job-calendars');
    view.assertQuiet();
  });

  it('is not deleted under a job; when it is gone all the same, that is seen', async () => {
    await view.visit('/calendars/freeze');
    await view.seesText(view.by('calendar-jobs'), /deploy/);
    await view.by('delete').click();
    await view.seesText(view.by('in-use'), /deploy/);
    await view.page.keyboard.press('Escape');
    await view.by('in-use').waitFor({ state: 'detached' });

    await mesh.deleteKey(mesh.keys.calendar('freeze'));
    await view.visit('/');
    await view.seesText(view.by('verdict'), /2 jobs are held up/);
    await view.seesText(view.by('job-row-deploy'), /calendar "freeze" does not exist/);
    await view.visit('/jobs/deploy');
    await view.seesText(view.by('attention'), /calendar "freeze" does not exist/);
    await view.visit('/calendars');
    const missing = view.by('missing-calendars');
    await view.seesText(missing, /freeze/);
    await missing.getByRole('link', { name: 'Create it' }).click();
    await view.by('dates-input').fill('02-29');
    assert.equal(await view.by('name-input').inputValue(), 'freeze');
    await view.by('save-calendar').click();
    await view.until('the calendar', async () => view.path === '/calendars/freeze');

    // Live: what others do is seen without a reload.
    await view.visit('/jobs/deploy');
    await view.page
      .locator('.run-row', { hasText: 'succeeded' })
      .first()
      .waitFor({ timeout: 40_000 });
    assert.equal(await view.by('attention').count(), 0);
    for (const name of ['deploy', 'release']) {
      await api.expect('DELETE', `/api/v1/jobs/${name}`, undefined, { 'If-Match': '*' });
    }
    await view.visit('/calendars/freeze');
    await view.by('delete').click();
    await view.by('confirm').click();
    await view.until('the list', async () => view.path === '/calendars');
    await view.by('calendar-card-freeze').waitFor({ state: 'detached' });
    await view.by('calendar-card-holidays').waitFor();
    view.assertQuiet();
  });
});

function isSaturday(date: string): boolean {
  return new Date(`${date}T00:00:00Z`).getUTCDay() === 6;
}
