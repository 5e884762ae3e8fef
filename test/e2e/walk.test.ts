/**
 * A person's walk through the console, in a real browser on a real mesh: see a job fire, make one
 * whose schedule is wrong, put it right, watch it run, kill it, pause it, run it by hand, delete it.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { ApiClient } from '../support/api-client.ts';
import { launchBrowser, type TestBrowser } from '../support/browser.ts';
import { ConsolePage } from '../support/console-page.ts';
import { startMesh, type TestMesh } from '../support/mesh.ts';
import { noneMentioning, processesMentioning } from '../support/supervisor.ts';

const everyFiveSeconds = '*/5 * * * * *';
const talking = [
  'sleep 3600 &',
  'i=0',
  'while :; do',
  '  i=$((i+1)); echo "line $i"',
  '  if [ $((i % 4)) -eq 0 ]; then echo "warning $i" >&2; fi',
  '  sleep 0.3',
  'done',
].join('\n');

describe('the console', { concurrency: false }, () => {
  let mesh: TestMesh;
  let browser: TestBrowser;
  let api: ApiClient;
  let view: ConsolePage;

  before(async () => {
    mesh = await startMesh();
    browser = await launchBrowser();
    await mesh.startWorkers(['w1', 'w2', 'w3']);
    const master = await mesh.startMaster();
    await mesh.putJob({ name: 'heart', command: 'echo beat', cronExpr: '* * * * * *' });
    api = new ApiClient(master.url);
    view = await ConsolePage.open(browser, master.url);
  });

  after(async () => {
    await view?.close();
    await browser?.close();
    await mesh?.stop();
  });

  it('shows a job fire, without a reload', async () => {
    const { page } = view;
    await view.visit('/');
    await view.seesText(view.by('verdict'), /All well/);
    const row = view.by('job-row-heart');
    await row.waitFor();
    await page.evaluate('document.body.dataset.samePage = "yes"');
    const strip = row.locator('svg.run-strip');
    const fired = async (): Promise<number> =>
      Number(/(\d+) succeeded/.exec((await strip.getAttribute('aria-label')) ?? '')?.[1] ?? 0);
    await view.until('the first fires in the strip', async () => (await fired()) > 0);
    const seen = await fired();
    await view.until('more fires in the strip', async () => (await fired()) >= seen + 2);
    await view.seesText(row, /succeeded/i);
    assert.equal(await page.locator('body').getAttribute('data-same-page'), 'yes');
    await view.screenshot('jobs');
    view.assertQuiet();
  });

  it('says beside the field what is wrong with a schedule', async () => {
    await view.by('new-job').click();
    await view.by('name-input').fill('talker');
    await view.by('command-input').fill(talking);
    const field = view.by('cron-input');
    const error = view.by('cron-error');

    await field.fill('61 * * * *');
    const minute = await view.seesText(error, /61/);
    assert.match(minute, /expected/i);
    assert.match(minute, /got|came/i);
    const [input, message] = [await field.boundingBox(), await error.boundingBox()];
    assert.ok(input && message, 'both are on the screen');
    const gap = message.y - (input.y + input.height);
    assert.ok(gap >= 0 && gap < 40, `the message stands below its field, ${gap} px away`);
    assert.equal(await field.getAttribute('aria-invalid'), 'true');
    await view.screenshot('editor-bad-minute');

    await field.fill('0 0 30 2 *');
    const never = await view.seesText(error, /never|30|February/i);
    assert.notEqual(never, minute);
    await view.screenshot('editor-never');
    await view.by('save-job').click();
    const focused = view.page.locator('[data-testid=cron-input]:focus');
    await view.until('the field to be focused', async () => (await focused.count()) === 1);
    assert.equal(view.path, '/jobs/new');
    assert.ok(!(await api.jobNames()).includes('talker'), 'nothing was saved');
  });

  it('shows the next ten fires of the right one, and saves it', async () => {
    await view.by('cron-input').fill(everyFiveSeconds);
    await view.by('cron-error').waitFor({ state: 'detached' });
    const fires = view.by('preview-fires').locator('tbody tr');
    await view.until('ten fires', async () => (await fires.count()) === 10);
    await view.seesText(view.by('preview-words'), /every 5 seconds/i);
    await view.screenshot('editor');
    await view.by('save-job').click();
    await view.until('the page of the job', async () => view.path === '/jobs/talker');
    view.assertQuiet();
  });

  it('shows what a run writes while it writes it, stderr marked', async () => {
    const { page } = view;
    const running = page.locator('.run-row', { hasText: /running/i }).locator('[data-row-link]');
    await running.first().click();
    await view.until('the page of the run', async () => view.path.startsWith('/runs/'));
    const outcome = view.by('run-outcome');
    await outcome.waitFor();
    assert.equal(await outcome.getAttribute('data-outcome'), 'running');
    const output = view.by('run-output');
    const lines = async (): Promise<number> =>
      Math.max(
        0,
        ...[...(await output.innerText()).matchAll(/line (\d+)/g)].map(([, n]) => Number(n)),
      );
    await view.until('its first lines', async () => (await lines()) >= 4);
    const seen = await lines();
    await view.until(
      'lines that came while it was watched',
      async () => (await lines()) >= seen + 4,
    );
    assert.equal(await outcome.getAttribute('data-outcome'), 'running');
    const marked = output.locator('.row.stderr');
    await view.seesText(marked.first(), /warning \d+/);
    const plain = output.locator('.row:not(.stderr)');
    assert.match((await plain.first().innerText()) ?? '', /line \d+/);
    await view.screenshot('run-live');
    view.assertQuiet();
  });

  it('kills it, processes and all, and says who did', async () => {
    const runId = decodeURIComponent(view.path.replace('/runs/', ''));
    assert.ok(processesMentioning([runId]).length >= 2, 'the shell and what it started');
    await view.by('kill').click();
    await view.by('confirm-dialog').waitFor();
    await view.screenshot('kill-dialog');
    await view.by('confirm').click();
    const outcome = view.by('run-outcome');
    await view.until(
      'killed',
      async () => (await outcome.getAttribute('data-outcome')) === 'killed',
    );
    await view.seesText(view.page.locator('.detail-head'), /killed by \S+/i);
    await noneMentioning([runId]);
    await view.screenshot('run-killed');
    view.assertQuiet();
  });

  it('pauses it, and nothing fires; runs it by hand', async () => {
    const { page } = view;
    await page.getByRole('link', { name: 'talker' }).first().click();
    await view.until('the page of the job', async () => view.path === '/jobs/talker');
    await view.by('pause').click();
    await view.by('resume').waitFor();
    await view.seesText(page.locator('.detail-title'), /paused/i);
    const pausedAt = Date.now();
    await api.ask('POST', '/api/v1/jobs/talker/kill', {});
    const nextDue = (Math.floor(pausedAt / 5_000) + 1) * 5_000;
    await view.until('others to fire after its next two would have been due', async () => {
      const [newest] = await api.rows('job=heart&outcome=succeeded');
      return newest !== undefined && newest.tick > nextDue + 6_000;
    });
    const since = (await api.rows('job=talker')).filter(({ tick }) => tick >= nextDue);
    assert.deepEqual(since, [], 'nothing fired, and nothing was missed');
    await view.screenshot('job-paused');

    await view.by('run-now').click();
    const toast = view.by('toast').filter({ hasText: 'will run now' });
    await toast.getByRole('button', { name: 'Watch it' }).click();
    await view.until('the page of its run', async () => view.path.startsWith('/runs/'));
    await view.seesText(view.by('run-output'), /line 2/);
    await view.seesText(page.locator('.run-facts'), /by hand|manual|asked/i);
    await view.by('kill').click();
    await view.by('confirm').click();
    const outcome = view.by('run-outcome');
    await view.until(
      'killed',
      async () => (await outcome.getAttribute('data-outcome')) === 'killed',
    );
    view.assertQuiet();
  });

  it('deletes it, when that is meant', async () => {
    await view.visit('/');
    const row = view.by('job-row-talker');
    await row.getByTestId('delete').click();
    const dialog = view.by('confirm-dialog');
    assert.match(await dialog.innerText(), /Delete talker\?/);
    await view.by('cancel').click();
    await dialog.waitFor({ state: 'detached' });
    assert.ok((await api.jobNames()).includes('talker'));
    await row.getByTestId('delete').click();
    await view.screenshot('delete-dialog');
    await view.by('confirm').click();
    await row.waitFor({ state: 'detached' });
    assert.ok(!(await api.jobNames()).includes('talker'));
    assert.ok((await api.rows('job=talker')).length > 0, 'its history stays');
    view.assertQuiet();
  });
});
