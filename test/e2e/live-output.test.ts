/**
 * Somebody watches a run in a browser, behind nginx: reloads in the middle, the master that serves the
 * page is stopped, and in the end the page shows exactly what the run wrote.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { it } from 'node:test';
import { ApiClient } from '../support/api-client.ts';
import { launchBrowser } from '../support/browser.ts';
import { ConsolePage } from '../support/console-page.ts';
import { withMesh } from '../support/mesh.ts';
import { startNginx } from '../support/nginx-server.ts';
import { waitFor } from '../support/server-process.ts';

const lineCount = 48;
const never = '0 0 0 1 1 *';
/** What the page shows, without the numbers of the lines; a console shows so few rows all at once. */
const readRows = `[...document.querySelectorAll('[data-testid="run-output"] .row')]
  .toSorted((a, b) => Number(a.dataset.index) - Number(b.dataset.index))
  .map((row) => { const copy = row.cloneNode(true); copy.querySelector('.gutter').remove(); return copy.textContent; })`;

it('a watched run, a reload, another master: exactly the bytes of the run', async () => {
  await withMesh({}, async (mesh) => {
    const [first, second] = [await mesh.startMaster(), await mesh.startMaster()];
    await mesh.startWorkers(['w1']);
    const nginx = await startNginx({ masters: [first.url, second.url] });
    const browser = await launchBrowser();
    try {
      const api = new ApiClient(nginx.url);
      const written = path.join(mesh.folder, 'written.txt');
      const body = `i=0; while [ $i -lt ${lineCount} ]; do i=$((i+1)); echo "line $i of the run" | tee -a ${written}; sleep 0.2; done`;
      await api.createJob({ name: 'writer', command: body, cronExpr: never });
      await api.expect('POST', '/api/v1/jobs/writer/run', {});
      const { id } = await waitFor(async () => (await api.rows('outcome=running'))[0], {
        timeoutMs: 10_000,
        describe: () => 'the run to be open',
      });
      const view = await ConsolePage.open(browser, nginx.url);
      await view.visit(`/runs/${encodeURIComponent(id)}`);
      const rows = (): Promise<string[]> => view.page.evaluate<string[]>(readRows);
      const seesLines = (count: number): Promise<void> =>
        view.until(`${count} lines`, async () => (await rows()).length >= count);
      await seesLines(8);
      const writtenThen = readFileSync(written, 'utf8').split('\n').length - 1;
      assert.ok(writtenThen < lineCount, 'it is still writing');
      await view.page.reload({ waitUntil: 'load' });
      await seesLines(writtenThen);
      // It serves the stream, or half of the page: what it served is asked of the other one.
      await first.process.stop();
      await view.until(
        'the end',
        async () => {
          const outcome = await view.by('run-outcome').getAttribute('data-outcome');
          return outcome === 'succeeded';
        },
        40_000,
      );
      await seesLines(lineCount);
      assert.ok(existsSync(written));
      const text = readFileSync(written, 'utf8');
      assert.equal(`${(await rows()).join('\n')}\n`, text);
      const kept = await fetch(`${nginx.url}/api/v1/runs/${encodeURIComponent(id)}/output`, {
        headers: { accept: 'text/plain' },
      });
      assert.equal(await kept.text(), text);
      await view.screenshot('run-watched');
      await view.close();
    } finally {
      await browser.close();
      await nginx.stop();
    }
  });
});
