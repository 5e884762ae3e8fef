/**
 * Keys that somebody wrote to etcd by hand under names that no job or calendar can have: they are shown,
 * and can be deleted by the name that they have.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { waitFor } from '../support/server-process.ts';
import { MasterRig, type MasterClient } from './master-support.ts';

describe('odd keys', () => {
  let rig: MasterRig;
  let client: MasterClient;

  before(async () => {
    rig = await MasterRig.start();
    client = await rig.master();
  });
  after(() => rig.stop());

  test('keys by hand that no job or calendar can have are shown, and go by their name', async () => {
    for (const name of ['a\0b', '\0', 'a/b', 'x'.repeat(2_000), ' ', 'a\nb']) {
      for (const [kind, key] of [
        ['jobs', rig.keys.job(name)],
        ['calendars', rig.keys.calendar(name)],
      ] as const) {
        await rig.put(key, { name, command: 'true', cronExpr: '@daily' });
        const path = `/api/v1/${kind}/${encodeURIComponent(name)}`;
        const told = JSON.stringify([kind, name.slice(0, 20)]);
        await waitFor(async () => (await client.ask(path)).status === 200, {
          timeoutMs: 5_000,
          describe: () => `${told} is shown`,
        });
        const etag = (await client.ask(path)).headers.get('etag') ?? '';
        const stale = { method: 'DELETE', headers: { 'if-match': '"1"' } } as const;
        await client.refusal(412, path, stale);
        await client.expect(204, path, { method: 'DELETE', headers: { 'if-match': etag } });
        assert.equal(await rig.read(key), undefined, told);
      }
    }
    await client.refusal(404, '/api/v1/jobs/a%00b', {
      method: 'DELETE',
      headers: { 'if-match': '*' },
    });
  });
});
