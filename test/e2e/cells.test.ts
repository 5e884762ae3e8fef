/**
 * The console over two cells: the root leads to the first, the switch to the same room of the other,
 * everything that a tab does stays in its cell, and with one mesh there is no trace of cells.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { MasterRig, type MasterClient } from '../integration/master-support.ts';
import { launchBrowser, type TestBrowser } from '../support/browser.ts';

const job = '/api/v1/jobs/backup';

describe('the console over two cells', { concurrency: false }, () => {
  let rig: MasterRig;
  let browser: TestBrowser;
  let master: MasterClient;

  before(async () => {
    rig = await MasterRig.start();
    master = await rig.master({
      prefix: undefined,
      cells: [`berlin=${rig.prefix}-a`, `oslo=${rig.prefix}-b`],
      history: `sqlite:${join(rig.folder, 'history-{cell}.db')}`,
    });
    for (const cell of ['berlin', 'oslo']) {
      await master.expect(201, `/cells/${cell}${job}`, {
        method: 'PUT',
        json: { command: 'true', cronExpr: '0 0 1 1 *', description: `the one of ${cell}` },
        headers: { 'if-none-match': '*' },
      });
    }
    browser = await launchBrowser();
  });
  after(async () => {
    await browser.close();
    await rig.stop();
  });

  it('switches between them and acts in the one that is shown', async () => {
    const opened = await browser.openPage({ width: 390, height: 760, phone: true });
    const { page } = opened;
    await page.goto(`${master.url}/`);
    await page.waitForURL('**/cells/berlin/');
    await page.getByText('the one of berlin').waitFor();
    await page.getByTestId('cell').click();
    await opened.screenshot('cells-switch');
    await page.getByRole('link', { name: /oslo/ }).click();
    await page.waitForURL('**/cells/oslo/');
    await page.getByRole('link', { name: 'backup' }).first().click();
    await page.waitForURL('**/cells/oslo/jobs/backup');
    await page.reload();
    await page.getByText('the one of oslo').waitFor();
    assert.equal(await page.title(), 'backup · oslo · cronmesh');
    await page.getByRole('button', { name: 'Pause' }).click();
    await page.getByRole('button', { name: 'Resume' }).waitFor();
    assert.match((await master.expect(200, `/cells/oslo${job}`)).text, /"enabled":false/);
    assert.match((await master.expect(200, `/cells/berlin${job}`)).text, /"enabled":true/);
    assert.deepEqual(opened.complaints, []);
    await opened.close();
  });

  it('shows no switch where there is one mesh', async () => {
    const alone = await rig.master();
    await alone.putNew('backup');
    const opened = await browser.openPage({ width: 1280, height: 760 });
    await opened.page.goto(`${alone.url}/`);
    await opened.page.getByText('backup').first().waitFor();
    assert.equal(await opened.page.getByTestId('cell').count(), 0);
    assert.equal(new URL(opened.page.url()).pathname, '/');
    assert.deepEqual(opened.complaints, []);
    await opened.close();
  });
});
