/** What lists show of the last runs: asked of the store as seldom as may be, and never long out of date. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StoreHealth } from '../../master/live/store-health.ts';
import { LastRuns } from '../../master/runs/last-runs.ts';
import { CronmeshError } from '../../shared/errors.ts';
import type { HistoryStore } from '../../shared/history/port.ts';
import type { HistoryRow } from '../../shared/history/records.ts';
import { MeshView } from '../../shared/mesh/view.ts';
import { createKeys } from '../../shared/protocol/keys.ts';
import { ManualClock } from '../support/manual-clock.ts';

const keys = createKeys('/cron');

function rig() {
  const clock = new ManualClock();
  const view = new MeshView(keys);
  view.reset();
  view.synced(1);
  const asked: string[][] = [];
  const down = { now: false };
  const rows = (job: string): HistoryRow[] => [
    { id: `${job}-${asked.length}`, kind: 'run', job, group: 'default', cause: 'tick', tick: 1 },
  ];
  const store: Pick<HistoryStore, 'lastRuns' | 'ping'> = {
    ping: async () => undefined,
    lastRuns: async (jobs) => {
      if (down.now) throw new CronmeshError('store-unavailable', 'down');
      asked.push([...jobs]);
      return new Map(jobs.map((job) => [job, rows(job)]));
    },
  };
  const storeHealth = new StoreHealth(store as HistoryStore, clock);
  const lastRuns = new LastRuns({ view, store, storeHealth, clock });
  const changed = (name: string): void => {
    view.events([{ type: 'delete', key: keys.fire(name, 't1'), modRevision: 2 }], 2);
  };
  return { clock, lastRuns, asked, changed, down };
}

test('jobs that were asked for a moment ago are not asked for again', async () => {
  const { lastRuns, asked } = rig();
  await lastRuns.of(['a', 'b']);
  const runs = await lastRuns.of(['a', 'b', 'c']);
  assert.deepEqual(asked, [['a', 'b'], ['c']]);
  assert.deepEqual([...(runs?.keys() ?? [])].toSorted(), ['a', 'b', 'c']);
});

test('fewer runs are told of what is known, more are asked for', async () => {
  const { lastRuns, asked } = rig();
  await lastRuns.of(['a'], 5);
  await lastRuns.of(['a'], 3);
  assert.equal(asked.length, 1);
  await lastRuns.of(['a']);
  await lastRuns.of(['a'], 5);
  assert.equal(asked.length, 2);
});

test('one whose keys changed is asked for at once, and again while rows may come', async () => {
  const { lastRuns, asked, changed, clock } = rig();
  await lastRuns.of(['a', 'b']);
  await clock.advance(10);
  changed('a');
  await clock.advance(10);
  await lastRuns.of(['a', 'b']);
  await lastRuns.of(['a', 'b']);
  assert.deepEqual(asked, [['a', 'b'], ['a']]);
  await clock.advance(1_000);
  await lastRuns.of(['a', 'b']);
  assert.deepEqual(asked.at(-1), ['a']);
});

test('nothing is believed for long', async () => {
  const { lastRuns, asked, clock } = rig();
  await lastRuns.of(['a']);
  await clock.advance(10_000);
  await lastRuns.of(['a']);
  assert.equal(asked.length, 2);
});

test('a store that is down is told as such, and what is known is still told', async () => {
  const { lastRuns, down } = rig();
  await lastRuns.of(['a']);
  down.now = true;
  assert.equal(await lastRuns.of(['a', 'b']), undefined);
  assert.equal((await lastRuns.of(['a']))?.get('a')?.length, 1);
});
