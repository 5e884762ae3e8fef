/**
 * Calendars with real workers: an excluded date holds a job back and says so, an edit of the calendar
 * holds from its revision on, and a worker whose view of the calendar is old claims nothing by it.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { CalendarInput } from '../../shared/calendar/definition.ts';
import type { HistoryRow } from '../../shared/history/records.ts';
import { requestTrigger } from '../../shared/protocol/trigger.ts';
import { audit, quiet, spanOf } from '../support/audit.ts';
import { reportAudit, reportFault } from '../support/fault-report.ts';
import { sized } from '../support/fault-size.ts';
import { forSeconds } from '../support/fault-time.ts';
import { withMesh, type TestMesh } from '../support/mesh.ts';
import { noteRun, readOracle, type OracleLine } from '../support/oracle.ts';
import { waitFor } from '../support/server-process.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';

const dayMs = 86_400_000;
const job = 'subject';

/** Of today and tomorrow: a test may go over midnight. */
function today(): string {
  const date = (atMs: number): string => new Date(atMs).toISOString().slice(0, 10);
  return `${date(Date.now())}..${date(Date.now() + dayMs)}`;
}

async function putCalendar(
  mesh: TestMesh,
  mode: CalendarInput['mode'],
  dates: string[],
): Promise<number> {
  const calendar: CalendarInput = { name: 'closed', mode, dates };
  return mesh.putKey(mesh.keys.calendar('closed'), JSON.stringify(calendar));
}

/** Seven fields of one second. */
function onceAt(atMs: number): string {
  const at = new Date(atMs);
  const date = [at.getUTCDate(), at.getUTCMonth() + 1, '*', at.getUTCFullYear()];
  return [at.getUTCSeconds(), at.getUTCMinutes(), at.getUTCHours(), ...date].join(' ');
}

async function skippedRow(mesh: TestMesh, name: string, reason: RegExp): Promise<HistoryRow> {
  return waitFor(
    async () =>
      (await mesh.rows()).find(
        (row) => row.job === name && row.outcome === 'skipped' && reason.test(row.reason ?? ''),
      ),
    { timeoutMs: 20_000, describe: () => `${name} to be skipped: ${String(reason)}` },
  );
}

async function ranAfter(mesh: TestMesh, revision: number): Promise<OracleLine> {
  return waitFor(() => readOracle(mesh.oracle).find((line) => line.fence > revision), {
    timeoutMs: 20_000,
    describe: () => `a run that was claimed after revision ${revision}`,
  });
}

async function triggerByHand(mesh: TestMesh): Promise<number> {
  const [kv] = (await mesh.etcd.range({ key: mesh.keys.job(job) })).kvs;
  assert.ok(kv !== undefined);
  const { id: leaseId } = await mesh.etcd.grantLease(60);
  const nowMs = Date.now();
  const asked = await mesh.etcd.txn(
    requestTrigger({
      keys: mesh.keys,
      name: job,
      jobCreateRevision: kv.createRevision,
      triggerId: `m${nowMs}`,
      trigger: {
        v: 1,
        cause: 'manual',
        tick: nowMs,
        notBefore: nowMs,
        expires: nowMs + 60_000,
        attempt: 1,
        jobCreate: kv.createRevision,
      },
      requestId: 'by-hand',
      leaseId,
    }),
  );
  assert.ok(asked.succeeded);
  return asked.revision;
}

describe('calendars', { concurrency: false }, () => {
  it('hold a job back, let it fire from their edit on, and every tick has its account', async (t) => {
    await withMesh({}, async (mesh) => {
      await mesh.startWorkers(['w1', 'w2']);
      await putCalendar(mesh, 'exclude', [today()]);
      await mesh.putJob({
        name: job,
        command: noteRun(mesh.oracle),
        cronExpr: '* * * * * *',
        calendars: ['closed'],
      });
      const late = { command: noteRun(mesh.oracle, 'true', 'late'), calendars: ['closed'] };
      await mesh.putJob({ name: 'told-at-once', cronExpr: onceAt(Date.now() + 3_000), ...late });
      const told = await skippedRow(mesh, 'told-at-once', /^calendar "closed" excludes \d{4}-/);
      assert.equal(told.count, 1);
      assert.equal(told.cause, 'tick');
      assert.deepEqual(readOracle(mesh.oracle), [], 'nothing runs on an excluded date');

      const asked = await triggerByHand(mesh);
      const manual = await ranAfter(mesh, asked);
      assert.equal(readOracle(mesh.oracle).length, 1, 'but what people ask for');

      const opened = await putCalendar(mesh, 'exclude', ['12-25..12-26', '2001-01-01']);
      const first = await ranAfter(mesh, Math.max(opened, manual.fence));
      await ranAfter(mesh, first.fence);
      const closed = await putCalendar(mesh, 'only', ['2001-01-01']);
      await mesh.putJob({ name: 'told-again', cronExpr: onceAt(Date.now() + 4_000), ...late });
      await skippedRow(mesh, 'told-again', /^calendar "closed" excludes/);
      const reopened = await putCalendar(mesh, 'only', [today()]);
      await ranAfter(mesh, reopened);

      const deleted = await mesh.deleteKey(mesh.keys.calendar('closed'));
      await mesh.putJob({ name: 'without', cronExpr: onceAt(Date.now() + 4_000), ...late });
      await skippedRow(mesh, 'without', /^calendar "closed" does not exist$/);
      const broken = await mesh.putKey(mesh.keys.calendar('closed'), '{"name":"closed"');
      await mesh.putJob({ name: 'unreadable', cronExpr: onceAt(Date.now() + 4_000), ...late });
      await skippedRow(mesh, 'unreadable', /^calendar "closed" is not valid$/);

      const lines = readOracle(mesh.oracle).filter(({ runId }) => runId !== manual.runId);
      const isOpen = (fence: number): boolean =>
        (fence > opened && fence < closed) || (fence > reopened && fence < deleted);
      const wrong = lines.filter(({ fence }) => !isOpen(fence));
      const { from, to } = spanOf(lines);
      await quiet(mesh, [job, 'told-at-once', 'told-again', 'without', 'unreadable']);
      const found = await audit(mesh, { jobs: [job], from, to, exclusive: true });
      assert.ok(broken > deleted);
      reportAudit(t, 'a calendar is closed and opened', found, `on excluded dates ${wrong.length}`);
      assert.deepEqual(wrong, []);
      // A busy worker may come too late to pass a tick over, which is then told as missed.
      assert.ok(
        found.skipped + found.missed > 0 && found.ran > 0,
        'ticks on either side were looked at',
      );
    });
  });

  it('are never decided by as a worker once saw them', { timeout: 240_000 }, async (t) => {
    await withMesh({}, async (mesh) => {
      const proxy = await startTcpProxy(mesh.etcdServer.member().clientPort);
      try {
        // The only worker: whatever is claimed, is claimed through the proxy.
        mesh.startWorker('w1', { endpoints: [proxy.endpoint] });
        await mesh.ready(['w1']);
        const edits = [{ revision: await putCalendar(mesh, 'only', [today()]), isOpen: true }];
        const jobs = Array.from({ length: 5 }, (_, i) => `${job}-${i}`);
        for (const name of jobs) {
          await mesh.putJob({
            name,
            command: noteRun(mesh.oracle),
            cronExpr: '* * * * * *',
            concurrency: 'allow',
            calendars: ['closed'],
          });
        }
        for (let round = 0; round < sized(4, 20); round++) {
          await ranAfter(mesh, edits.at(-1)?.revision ?? 0);
          // Claims by the open calendar wait in the proxy, and reach etcd after it was closed.
          proxy.hang();
          await forSeconds(1.2);
          const closed = await putCalendar(mesh, 'exclude', [today()]);
          edits.push({ revision: closed, isOpen: false });
          await forSeconds(0.5);
          proxy.resume();
          await forSeconds(1.5);
          const revision = await putCalendar(mesh, 'only', [today()]);
          edits.push({ revision, isOpen: true });
        }
        await ranAfter(mesh, edits.at(-1)?.revision ?? 0);
        const lines = readOracle(mesh.oracle);
        const wrong = lines.filter(
          ({ fence }) => edits.findLast(({ revision }) => revision < fence)?.isOpen === false,
        );
        const ticks = lines.map((line) => `${line.job}@${line.tick}`);
        const twice = ticks.length - new Set(ticks).size;
        const note = `${edits.length} edits, runs by an old calendar ${wrong.length}`;
        reportFault(
          t,
          'calendars changed under a frozen watch',
          { ran: lines.length, twice },
          note,
        );
        assert.deepEqual(wrong, []);
        assert.equal(twice, 0);
      } finally {
        await proxy.close();
      }
    });
  });
});
