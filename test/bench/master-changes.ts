/**
 * A mesh of many jobs as a master finds it, and its life: runs begin and end, cursors move and now and
 * then somebody edits, so many events a second, as workers and people would write them.
 */
import { systemClock } from '../../shared/clock.ts';
import type { Op } from '../../shared/etcd/port.ts';
import type { HistoryRecord, RanOutcome } from '../../shared/history/records.ts';
import { encodeCursor } from '../../shared/protocol/cursor.ts';
import { encodeValue, type FireValue, type StateValue } from '../../shared/protocol/values.ts';
import { parseSchedule } from '../../shared/schedule/parse-schedule.ts';
import type { TestMesh } from '../support/mesh.ts';
import { jobNameAt } from './master-load.ts';

const perTxn = 25;
const withHistory = 2_000;
const rowsEach = 30;

export async function fillMesh(mesh: TestMesh, jobCount: number): Promise<void> {
  const now = Date.now();
  for (let i = 0; i < jobCount; i += perTxn) {
    const success = Array.from({ length: perTxn }, (_, offset) => {
      const number = i + offset;
      const job = jobAt(number);
      const { canonical } = parseSchedule(job.cronExpr, 'UTC');
      const schedule = job.enabled ? canonical : '-';
      const puts = [
        { put: { key: mesh.keys.job(job.name), value: JSON.stringify(job) } },
        { put: { key: mesh.keys.cursor(job.name), value: encodeCursor({ tick: now, schedule }) } },
      ];
      return number % 3 === 0 ? puts : [...puts, putState(mesh, number, now - number * 100)];
    });
    await mesh.etcd.txn({ compare: [], success: success.flat(), failure: [] });
  }
}

/** Of the first jobs by name, which most lists show. */
export async function fillHistory(mesh: TestMesh): Promise<void> {
  const store = await mesh.store();
  const now = Date.now();
  for (let number = 0; number < withHistory; number++) {
    const rows = Array.from({ length: rowsEach }, (_, row) => run(number, now - row * 60_000));
    await store.ingest(rows.flat());
  }
}

/** So many events a second until it is told to stop; resolves with how many there were. */
export async function liveOn(
  mesh: TestMesh,
  jobCount: number,
  perSecond: number,
  signal: AbortSignal,
): Promise<number> {
  let events = 0;
  const began = performance.now();
  while (!signal.aborted) {
    const due = Math.floor(((performance.now() - began) / 1_000) * perSecond);
    for (; events < due; events++) {
      const success = eventAt(mesh, events, jobCount);
      await mesh.etcd.txn({ compare: [], success, failure: [] });
    }
    await new Promise<void>((resolve) => void systemClock.after(10, resolve));
  }
  return events;
}

function eventAt(mesh: TestMesh, turn: number, jobCount: number): Op[] {
  // Each run begins with one event and ends with the second after it.
  const number = (Math.floor(turn / 4) * 2 + (turn % 2)) * 7_919;
  const job = jobAt(number % jobCount);
  const { name } = job;
  const tick = Date.now();
  const { canonical: schedule } = parseSchedule(job.cronExpr, 'UTC');
  if (turn % 40 === 39) {
    const edited = { ...job, description: `edited ${turn}` };
    return [{ put: { key: mesh.keys.job(name), value: JSON.stringify(edited) } }];
  }
  const fire = mesh.keys.fire(name, `t${turn - (turn % 4)}`);
  if (turn % 4 < 2) {
    return [
      { put: { key: mesh.keys.cursor(name), value: encodeCursor({ tick, schedule }) } },
      { put: { key: fire, value: encodeValue(fireOf(number % jobCount, tick)) } },
    ];
  }
  return [{ delete: { key: fire } }, putState(mesh, number % jobCount, tick)];
}

function jobAt(number: number) {
  return {
    name: jobNameAt(number),
    description: number % 2 === 0 ? `Nightly shard ${number} of the ledger` : '',
    command: `/usr/local/bin/ledger --shard ${number} --of 100000 --verbose`,
    cronExpr: `${number % 60} ${Math.floor(number / 60) % 60} ${number % 24} * * *`,
    group: `g${number % 40}`,
    enabled: number % 50 !== 0,
  };
}

function outcomeOf(number: number): RanOutcome {
  return number % 97 === 0 ? 'failed' : number % 499 === 0 ? 'timed-out' : 'succeeded';
}

function putState(mesh: TestMesh, number: number, endedAt: number): Op {
  const state: StateValue = {
    v: 1,
    outcome: outcomeOf(number + endedAt),
    tick: endedAt - 500,
    runId: `run-${number}-${endedAt}`,
    worker: `w${number % 5}`,
    startedAt: endedAt - 450,
    endedAt,
    exitCode: 0,
  };
  return { put: { key: mesh.keys.state(jobNameAt(number)), value: encodeValue(state) } };
}

function fireOf(number: number, tick: number): FireValue {
  return {
    v: 1,
    runId: `run-${number}-${tick}`,
    session: '1',
    worker: `w${number % 5}`,
    jobCreate: 1,
    cause: 'tick',
    tick,
    attempt: 1,
    group: `g${number % 40}`,
  };
}

function run(number: number, tick: number): HistoryRecord[] {
  const job = jobNameAt(number);
  const facts = {
    runId: `run-${number}-${tick}`,
    job,
    group: `g${number % 40}`,
    cause: 'tick',
    tick,
    fireId: `t${tick}`,
    attempt: 1,
    worker: `w${number % 5}`,
    fence: 1,
    command: `/usr/local/bin/ledger --shard ${number}`,
  } as const;
  const end = {
    outcome: outcomeOf(number + tick),
    startedAt: tick + 20,
    endedAt: tick + 900 + (number % 400),
    exitCode: 0,
    outputBytes: 0,
    outputTruncated: false,
  };
  return [{ kind: 'run-ended', run: facts, end }];
}
