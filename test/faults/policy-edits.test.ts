/**
 * Policies where they meet: attempts that end in different ways are counted together, a retry that
 * waits obeys what becomes of its job, and a limit that is lowered holds for what already runs.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { HistoryRow } from '../../shared/history/records.ts';
import type { JobInput } from '../../shared/job/definition.ts';
import { reportFault } from '../support/fault-report.ts';
import { withMesh, type TestMesh } from '../support/mesh.ts';
import { noteRun, readOracle, type OracleLine } from '../support/oracle.ts';
import { waitFor } from '../support/server-process.ts';

/** A tick about two seconds from now, and none after it for a day. */
function once(): string {
  const at = new Date(Date.now() + 2_500);
  return `${at.getUTCSeconds()} ${at.getUTCMinutes()} ${at.getUTCHours()} * * *`;
}

function linesOf(mesh: TestMesh, job: string): OracleLine[] {
  return readOracle(mesh.oracle).filter((line) => line.job === job);
}

async function rowsOf(
  mesh: TestMesh,
  job: string,
  enough: (rows: readonly HistoryRow[]) => boolean,
): Promise<HistoryRow[]> {
  let seen: HistoryRow[] = [];
  return waitFor(
    async () => {
      seen = (await mesh.rows()).filter((row) => row.job === job && row.outcome !== undefined);
      return enough(seen) ? seen : undefined;
    },
    {
      timeoutMs: 60_000,
      intervalMs: 200,
      describe: () =>
        `rows of ${job}; there are ${seen.map(({ outcome, reason }) => `${outcome} ${reason}`).join(', ')}`,
    },
  );
}

async function pass(ms: number): Promise<void> {
  const until = Date.now() + ms;
  await waitFor(() => Date.now() > until, { timeoutMs: ms + 10_000, describe: () => 'time' });
}

/** Signs of life every 50 ms for `seconds`; `$1` runs first. */
function living(mesh: TestMesh, seconds: number, first = ':'): string {
  const sign = noteRun(mesh.oracle, 'sleep 0.05', 'alive');
  return `${first}; i=0; while [ $i -lt ${seconds * 15} ]; do ${sign}; i=$((i+1)); done`;
}

/** How many runs showed signs of life at the same time, for runs that began at `fromMs` or later. */
function mostAtOnce(lines: readonly OracleLine[], fromMs: number): number {
  const lives = new Map<string, { from: number; to: number }>();
  for (const { runId, atMs } of lines) {
    const life = lives.get(runId);
    lives.set(runId, { from: life?.from ?? atMs, to: atMs });
  }
  const all = [...lives.values()];
  const counts = all
    .filter(({ from }) => from >= fromMs)
    .map(({ from }) => all.filter((life) => life.from <= from && life.to > from).length);
  return Math.max(0, ...counts);
}

async function running(mesh: TestMesh, job: string, count: number): Promise<void> {
  await waitFor(async () => (await mesh.list(`lock/${job}/`)).length === count, {
    timeoutMs: 30_000,
    intervalMs: 20,
    describe: () => `${count} open runs of ${job}`,
  });
}

describe('policies where they meet', { concurrency: false }, () => {
  it('counts attempts together, whether they failed, were lost or timed out', async (t) => {
    await withMesh({}, async (mesh) => {
      await mesh.startWorkers(['w1', 'w2', 'w3']);
      const byAttempt = 'case $CRON_ATTEMPT in 1) exit 3;; *) sleep 60;; esac';
      await mesh.putJob({
        name: 'mixed',
        command: noteRun(mesh.oracle, byAttempt, '$CRON_ATTEMPT'),
        cronExpr: once(),
        timeoutSeconds: 8,
        killGraceSeconds: 1,
        retries: { max: 2, backoffSeconds: 0 },
      });
      await waitFor(() => linesOf(mesh, 'mixed').some(({ what }) => what === '2'), {
        timeoutMs: 20_000,
        describe: () => 'the second attempt',
      });
      const [open] = await mesh.list('lock/mixed/');
      const holder = /"worker":"(w\d)"/.exec(open?.value.toString() ?? '')?.[1] ?? '';
      await mesh.workers.get(holder)?.kill();
      const isAll = (rows: readonly HistoryRow[]): boolean => rows.length >= 3;
      const rows = (await rowsOf(mesh, 'mixed', isAll)).toSorted(
        (a, b) => (a.attempt ?? 0) - (b.attempt ?? 0),
      );
      // A fourth attempt would have come at once.
      await pass(3_000);
      const told = rows.map(({ attempt, cause, outcome }) => `${attempt} ${cause} ${outcome}`);
      reportFault(t, 'attempts that ended differently', { ran: rows.length }, told.join(', '));
      assert.deepEqual(told, ['1 tick failed', '2 retry lost', '3 retry timed-out']);
      assert.deepEqual(
        linesOf(mesh, 'mixed').map(({ what }) => what),
        ['1', '2', '3'],
      );
      assert.deepEqual(await mesh.list('trigger/'), []);
    });
  });

  it('a retry that waits obeys a pause, a deletion and a re-creation', async (t) => {
    await withMesh({}, async (mesh) => {
      await mesh.startWorkers(['w1', 'w2']);
      const cronExpr = once();
      const job = (name: string): JobInput => ({
        name,
        command: noteRun(mesh.oracle, 'exit 3', '$CRON_ATTEMPT'),
        cronExpr,
        retries: { max: 2, backoffSeconds: 8 },
      });
      const names = ['paused', 'deleted', 'anew'];
      for (const name of names) await mesh.putJob(job(name));
      await waitFor(async () => (await mesh.list('trigger/')).length === names.length, {
        timeoutMs: 30_000,
        describe: () => 'a retry of each to wait',
      });
      await mesh.putJob({ ...job('paused'), enabled: false });
      await mesh.deleteKey(mesh.keys.job('deleted'));
      await mesh.deleteKey(mesh.keys.job('anew'));
      await mesh.putJob(job('anew'));
      const reasons: Record<string, string> = {
        paused: 'the job is paused',
        deleted: 'the job was deleted',
        anew: 'the job was deleted and made anew',
      };
      for (const name of names) {
        const isSkipped = ({ outcome }: HistoryRow): boolean => outcome === 'skipped';
        const rows = await rowsOf(mesh, name, (all) => all.some(isSkipped));
        assert.equal(rows.find(isSkipped)?.reason, reasons[name]);
        assert.deepEqual(
          linesOf(mesh, name).map(({ what }) => what),
          ['1'],
        );
      }
      assert.deepEqual(await mesh.list('trigger/'), []);
      reportFault(t, 'retries of changed jobs', { skipped: names.length }, 'each with its reason');
    });
  });

  it('replaces a run that ignores TERM only when it is dead', async (t) => {
    await withMesh({}, async (mesh) => {
      await mesh.startWorkers(['w1', 'w2']);
      await mesh.putJob({
        name: 'stubborn',
        command: living(mesh, 60, 'trap "" TERM'),
        cronExpr: '*/3 * * * * *',
        concurrency: 'replace',
        killGraceSeconds: 2,
      });
      const isEnough = (rows: readonly HistoryRow[]): boolean =>
        rows.filter(({ outcome }) => outcome === 'killed').length >= 3;
      const rows = await rowsOf(mesh, 'stubborn', isEnough);
      await mesh.putJob({ name: 'stubborn', command: 'true', cronExpr: '@yearly', enabled: false });
      const killed = rows.filter(({ outcome }) => outcome === 'killed');
      assert.ok(killed.every(({ signal }) => signal === 'SIGKILL'));
      assert.equal(mostAtOnce(linesOf(mesh, 'stubborn'), 0), 1);
      await waitFor(async () => (await mesh.list('killer/')).length <= 1, {
        timeoutMs: 10_000,
        describe: () => 'the orders to go with their runs',
      });
      reportFault(t, 'replaced runs that ignore TERM', { ran: killed.length, overlapMs: 0 }, '');
    });
  });

  it('lowered to one while three run: nothing starts before they are over', async (t) => {
    await withMesh({}, async (mesh) => {
      await mesh.startWorkers(['w1', 'w2', 'w3']);
      const job = { name: 'less', command: living(mesh, 6), cronExpr: '* * * * * *' };
      await mesh.putJob({ ...job, concurrency: 'allow', maxConcurrent: 3 });
      await running(mesh, 'less', 3);
      await mesh.putJob({ ...job, command: living(mesh, 1), concurrency: 'forbid' });
      const loweredMs = Date.now();
      const isEnough = (): boolean =>
        new Set(
          linesOf(mesh, 'less')
            .filter(({ tick }) => tick > loweredMs)
            .map(({ runId }) => runId),
        ).size >= 3;
      await waitFor(isEnough, { timeoutMs: 40_000, describe: () => 'runs under the lower limit' });
      const most = mostAtOnce(linesOf(mesh, 'less'), loweredMs + 1_000);
      reportFault(t, 'a limit lowered to one while three run', {}, `at most ${most} at once since`);
      assert.equal(most, 1);
    });
  });

  it('turned into a queue while many run: one waits, and they run one after another', async (t) => {
    await withMesh({}, async (mesh) => {
      await mesh.startWorkers(['w1', 'w2', 'w3']);
      const job = { name: 'queued', command: living(mesh, 5), cronExpr: '* * * * * *' };
      await mesh.putJob({ ...job, concurrency: 'allow' });
      await running(mesh, 'queued', 3);
      await mesh.putJob({ ...job, command: living(mesh, 1), concurrency: 'queue' });
      const turnedMs = Date.now();
      let mostWaiting = 0;
      await waitFor(
        async () => {
          mostWaiting = Math.max(mostWaiting, (await mesh.list('trigger/queued/')).length);
          const since = linesOf(mesh, 'queued').filter(({ tick }) => tick > turnedMs);
          return new Set(since.map(({ runId }) => runId)).size >= 3;
        },
        { timeoutMs: 40_000, intervalMs: 50, describe: () => 'queued runs' },
      );
      const most = mostAtOnce(linesOf(mesh, 'queued'), turnedMs + 1_000);
      const note = `at most ${mostWaiting} waiting, ${most} at once since`;
      reportFault(t, 'turned into a queue while many run', {}, note);
      assert.equal(mostWaiting, 1);
      assert.equal(most, 1);
    });
  });
});
