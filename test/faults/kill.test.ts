/**
 * A kill order ends the whole process group within its grace, names its reason, and never hits a
 * later run, not even when somebody leaves the order lying in etcd.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import type { HistoryRow } from '../../shared/history/records.ts';
import { reportFault } from '../support/fault-report.ts';
import { withMesh, type TestMesh } from '../support/mesh.ts';
import { waitFor } from '../support/server-process.ts';

describe('kill', { concurrency: false }, () => {
  it('ends children that ignore TERM after the grace, and spares the next run', async (t) => {
    await withMesh({}, async (mesh) => {
      await mesh.startWorkers(['w1', 'w2']);
      const pids = path.join(mesh.folder, 'pids');
      await mesh.putJob({
        name: 'stubborn',
        command: `sh -c 'trap "" TERM; echo $$ >> ${pids}; while :; do sleep 0.2; done' & echo $! >> ${pids}; trap "" TERM; echo $$ >> ${pids}; while :; do sleep 0.2; done`,
        cronExpr: '*/2 * * * * *',
        killGraceSeconds: 1,
      });
      const first = await running(mesh, pids, 1);
      const orderedAt = Date.now();
      // Put by hand, with no lease: it will never go away by itself.
      const put = { put: { key: mesh.keys.killer('stubborn'), value: '' } };
      await mesh.etcd.txn({ compare: [], success: [put], failure: [] });
      await waitFor(() => first.every((pid) => !alive(pid)), {
        timeoutMs: 8_000,
        describe: () => `processes ${first.filter(alive).join(', ')} to be gone`,
      });
      const goneMs = Date.now() - orderedAt;
      const row = await waitFor(
        async () => (await mesh.rows()).find(({ outcome }) => outcome === 'killed'),
        { timeoutMs: 10_000, describe: () => 'the killed run in history' },
      );
      assert.match(row.reason ?? '', /killed by an order in etcd/);
      // The order still stands there; a later run must not be touched by it.
      const all = await running(mesh, pids, 2);
      const second = all.filter((pid) => !first.includes(pid));
      const until = Date.now() + 3_000;
      await waitFor(() => Date.now() > until, {
        timeoutMs: 10_000,
        describe: () => 'time to pass',
      });
      assert.ok(second.length > 0 && second.every(alive), 'the later run lives');
      const skipped = (await mesh.rows()).filter(({ outcome }) => outcome === 'skipped');
      assert.ok(skipped.length > 0, 'ticks that fell due meanwhile are rows of their own');
      const note = `3 processes that ignore TERM gone ${goneMs} ms after the order with a grace of 1 s, the next run untouched`;
      reportFault(t, 'kill order that stays in etcd', { skipped: skipped.length }, note);
      await mesh.deleteKey(mesh.keys.killer('stubborn'));
      await mesh.etcd.txn({ compare: [], success: [put], failure: [] });
      await waitFor(() => second.every((pid) => !alive(pid)), {
        timeoutMs: 8_000,
        describe: () => 'the later run to be killed by a later order',
      });
    });
  });

  it('ends a run at its timeout and says so', async (t) => {
    await withMesh({}, async (mesh) => {
      await mesh.startWorkers(['w1']);
      await mesh.putJob({
        name: 'slow',
        command: 'echo begun; sleep 60',
        cronExpr: '* * * * * *',
        timeoutSeconds: 1,
        killGraceSeconds: 1,
      });
      const row = await waitFor(
        async (): Promise<HistoryRow | undefined> =>
          (await mesh.rows()).find(({ outcome }) => outcome === 'timed-out'),
        { timeoutMs: 15_000, describe: () => 'a timed-out run in history' },
      );
      const store = await mesh.store();
      const chunks = await store.readOutput(row.id, 0, 1_000);
      assert.equal(Buffer.concat(chunks.map(({ data }) => data)).toString(), 'begun\n');
      const lastedMs = (row.endedAt ?? 0) - (row.startedAt ?? 0);
      reportFault(
        t,
        'timeout of 1 s',
        { ran: 1 },
        `ended after ${lastedMs} ms: ${row.reason ?? ''}`,
      );
    });
  });
});

/** The pids that runs wrote down, once the `nth` run has written all its three lines. */
async function running(mesh: TestMesh, file: string, nth: number): Promise<number[]> {
  return waitFor(
    () => {
      const pids = read(file);
      return pids.length >= nth * 3 ? pids : undefined;
    },
    {
      timeoutMs: 15_000,
      describe: () =>
        `run ${nth}; ${[...mesh.workers.values()].map((w) => w.output.slice(-800)).join('\n')}`,
    },
  );
}

function read(file: string): number[] {
  try {
    return readFileSync(file, 'utf8').split('\n').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

/** A zombie has ended; only its parent has not looked yet. */
function alive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
