/** Which runs take a slot: those with a process, and not those whose end is only being settled. */
import assert from 'node:assert/strict';
import { setImmediate } from 'node:timers/promises';
import { test } from 'node:test';
import { systemClock } from '../../shared/clock.ts';
import { createLogger } from '../../shared/log.ts';
import { createKeys } from '../../shared/protocol/keys.ts';
import { ActiveRuns, type ActiveRunsOptions } from '../../worker/run/active-runs.ts';
import { NoSpawnExecutor } from '../bench/no-spawn-executor.ts';
import { openFire, part } from '../support/decide-parts.ts';

const slots = 2;

test('a slot is free while ends are settled, but only as many ends as there are slots', async () => {
  const executor = new NoSpawnExecutor(slots);
  executor.setDeadline(Infinity);
  let held = 0;
  let freed = 0;
  const parts: unknown = {
    keys: createKeys('/cron'),
    clock: systemClock,
    random: Math.random,
    logger: createLogger('worker', 'silent'),
    executor,
    spool: {
      append: () => Promise.resolve(),
      // A disk that does not answer.
      hold: () => {
        held++;
        return new Promise<void>(() => undefined);
      },
      state: () => ({ pendingRecords: 0 }),
    },
    session: { id: 's1', alive: () => true },
    view: { part: () => undefined, snapshot: { watched: new Map() } },
    signal: new AbortController().signal,
    baseEnvironment: {},
    workDirectory: '/',
    onChange: () => void freed++,
    onEnded: () => undefined,
  };
  const runs = new ActiveRuns(parts as ActiveRunsOptions);
  const { entry } = part();
  assert.ok(entry?.ok === true);

  for (let count = 1; count <= 2 * slots; count++) {
    assert.ok(runs.takeSlot());
    runs.start({
      entry,
      fireId: `t${String(count)}`,
      fire: { ...openFire().value, runId: `r${String(count)}` },
      claimRevision: count,
      sentAtMs: systemClock.monotonicMs(),
      resent: false,
    });
    assert.equal(runs.running, 1);
    for (let turn = 0; held < count && turn < 1_000; turn++) await setImmediate();
    assert.equal(runs.running, 0);
    assert.equal(freed, count);
    assert.equal(runs.size, count);
  }
  assert.equal(runs.freeSlots(), 0);
  assert.equal(runs.takeSlot(), false);
});
