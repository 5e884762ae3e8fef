/** The API through the nginx site that is shipped, over two masters, one of which is stopped. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { jobListShape, savedJobShape } from '../../master/api/shapes.ts';
import { ended, output, runFacts, started } from '../support/history-samples.ts';
import { startNginx, type NginxServer } from '../support/nginx-server.ts';
import { waitFor } from '../support/server-process.ts';
import { EventReader, MasterRig, type MasterClient } from './master-support.ts';

describe('two masters behind nginx', () => {
  let rig: MasterRig;
  let masters: MasterClient[] = [];
  let nginx: NginxServer;

  before(async () => {
    rig = await MasterRig.start();
    masters = [await rig.master(), await rig.master()];
    nginx = await startNginx({ masters: masters.map(({ url }) => url) });
  });
  after(async () => {
    await nginx.stop();
    await rig.stop();
  });

  const ask = (path: string, init: RequestInit = {}) => fetch(`${nginx.url}${path}`, init);
  const json = { 'content-type': 'application/json' };

  test('edits, hints and live output pass, and go on when one master stops', async () => {
    const created = await ask('/api/v1/jobs/proxied', {
      method: 'PUT',
      headers: { ...json, 'if-none-match': '*' },
      body: JSON.stringify({ command: 'true', cronExpr: '@daily' }),
    });
    assert.equal(created.status, 201);
    assert.match(created.headers.get('x-request-id') ?? '', /^[0-9a-f]{32}$/, "nginx's own id");
    const etag = created.headers.get('etag') ?? '';

    const hints = await EventReader.open(`${nginx.url}/api/v1/stream`);
    await hints.next(({ event }) => event === 'snapshot');
    const run = runFacts('through', { job: 'proxied' });
    await rig.store.ingest([started(run), output('through', 0, 'first ')]);
    const live = await EventReader.open(`${nginx.url}/api/v1/runs/through/output/stream`);
    await live.next(({ event }) => event === 'output');

    await masters[0]?.stop();
    // Every answer is good, whichever master nginx would have asked.
    for (let round = 0; round < 20; round++) {
      const list = await ask('/api/v1/jobs');
      assert.equal(list.status, 200);
      assert.equal(jobListShape.parse(await list.json()).total, 1);
    }
    const replaced = await ask('/api/v1/jobs/proxied', {
      method: 'PUT',
      headers: { ...json, 'if-match': etag },
      body: JSON.stringify({ command: 'false', cronExpr: '@daily' }),
    });
    assert.equal(replaced.status, 200);
    assert.equal(savedJobShape.parse(await replaced.json()).job.command, 'false');

    // A stream that ended with its master is taken up again at the byte it had, by the other one.
    await rig.store.ingest([output('through', 6, 'second'), ended(run, { outputBytes: 12 })]);
    await waitFor(() => live.isEnded, { timeoutMs: 10_000, describe: () => 'the stream ends' });
    const isWhole = live.events.some(({ event }) => event === 'end');
    const last = live.events.findLast(({ id }) => id !== undefined)?.id ?? '0';
    const resumed = await EventReader.open(`${nginx.url}/api/v1/runs/through/output/stream`, {
      'last-event-id': isWhole ? '0' : last,
    });
    await resumed.next(({ event }) => event === 'end');
    assert.equal(resumed.events.findLast(({ event }) => event === 'output')?.id, '12');
    hints.close();
    const again = await EventReader.open(`${nginx.url}/api/v1/stream`);
    await again.next(({ event }) => event === 'snapshot');
    again.close();
  });

  test('a page of another site is refused through the proxy, too', async () => {
    const refused = await ask('/api/v1/jobs/proxied/run', {
      method: 'POST',
      headers: { origin: 'https://evil.example' },
    });
    assert.equal(refused.status, 403);
  });
});
