/** Looking for and signalling a run's processes, against processes of this test's own. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, describe, test } from 'node:test';
import { systemClock } from '../../shared/clock.ts';
import { killLostRuns } from '../../worker/executor/lost-runs.ts';
import { PooledRun } from '../../worker/executor/pooled-run.ts';
import { groupExists, signalGroup, terminateGroup } from '../../worker/guardian/process-group.ts';
import {
  isSameProcess,
  isYoungerThan,
  processAgeMs,
  readOwnLine,
  readProcess,
  readProcessTable,
  signalProcess,
  type ProcessEntry,
} from '../../worker/guardian/process-table.ts';
import { findTrees } from '../../worker/guardian/process-tree.ts';

const started: ChildProcess[] = [];

async function startGroup(
  command: string,
  environment: Record<string, string> = {},
): Promise<number> {
  const child = spawn('/bin/sh', ['-c', `echo up; ${command}`], {
    detached: true,
    env: { PATH: '/usr/bin:/bin', ...environment },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  started.push(child);
  await once(child.stdout, 'data');
  if (child.pid === undefined) throw new Error('no pid');
  return child.pid;
}

function hasLiveMember(groupId: number): boolean {
  return readProcessTable()?.some((entry) => entry.groupId === groupId) ?? false;
}

afterEach(async () => {
  for (const child of started.splice(0)) {
    if (child.pid === undefined) continue;
    const exited =
      child.exitCode === null && child.signalCode === null ? once(child, 'exit') : null;
    signalGroup(child.pid, 'SIGKILL');
    await exited;
  }
});

test('a group is there until its last member is gone', async () => {
  const groupId = await startGroup('exec sleep 60');
  assert.equal(groupExists(groupId), true);
  assert.equal(hasLiveMember(groupId), true);
  assert.ok((processAgeMs(groupId) ?? Infinity) < 30_000);
  const exited = once(started[0] as ChildProcess, 'exit');
  assert.equal(terminateGroup(groupId), true);
  await exited;
  assert.equal(hasLiveMember(groupId), false);
  assert.equal(processAgeMs(groupId), undefined);
});

test('a process is read with its run id, whole and exact, wherever it stands', async () => {
  const own = await startGroup('exec sleep 60', { OTHER: 'x', CRON_RUN_ID: 'abc-1', Z: 'z' });
  const first = await startGroup('exec sleep 60', {
    X_CRON_RUN_ID: 'no',
    LONG: 'x'.repeat(100_000),
  });
  const entry = readProcessTable()?.find(({ pid }) => pid === own);
  assert.equal(entry?.runId, 'abc-1');
  assert.equal(entry.groupId, own);
  assert.equal(entry.sessionId, own);
  assert.equal(entry.parentId, process.pid);
  assert.equal(readProcess(first)?.runId, undefined);
  assert.equal(isSameProcess(entry), true);
});

test('a number that is another process by now is not signalled', async () => {
  const pid = await startGroup('exec sleep 60');
  const entry = readProcess(pid);
  assert.ok(entry);
  assert.equal(signalProcess({ ...entry, startTicks: entry.startTicks - 1 }, 'SIGKILL'), false);
  assert.equal(isSameProcess(entry), true);
  assert.equal(signalProcess(entry, 'SIGCONT'), true);
});

test('a number whose process is younger than the run is not of the run', async () => {
  const pid = await startGroup('exec sleep 60');
  assert.equal(isYoungerThan(pid, 0), false);
  assert.equal(isYoungerThan(pid, 60_000), true);
  assert.equal(isYoungerThan(2 ** 30, 60_000), false);
});

test('this process and its parents are of its own line', () => {
  const line = readOwnLine();
  for (const pid of [process.pid, process.ppid, 1]) assert.ok(line.has(pid));
});

describe('whose a process is', () => {
  const at = (pid: number, parentId: number, more: Partial<ProcessEntry> = {}): ProcessEntry => ({
    pid,
    parentId,
    groupId: pid,
    sessionId: pid,
    state: 'S',
    startTicks: pid,
    runId: undefined,
    ...more,
  });
  const root = { runId: 'r', leaderId: 100, isLeaderCollected: false };
  const nobody: ReadonlySet<number> = new Set();
  const pidsOf = (table: ProcessEntry[], one = root, spared = nobody): number[] =>
    (findTrees(table, [one], spared).get(one) ?? []).map(({ pid }) => pid);

  test('by group, session, run id, and as a descendant of these', () => {
    const table = [
      at(100, 10),
      at(101, 100, { groupId: 100, sessionId: 100 }),
      at(102, 1, { sessionId: 100 }),
      at(103, 1, { runId: 'r' }),
      at(105, 104),
      at(104, 103),
      at(106, 1, { runId: 'other' }),
      at(107, 10),
    ];
    assert.deepEqual(pidsOf(table), [100, 101, 102, 103, 105, 104]);
  });

  test('not by a number that was given away again', () => {
    const table = [at(100, 1), at(150, 100, { groupId: 100, sessionId: 100 })];
    assert.deepEqual(pidsOf(table, { ...root, isLeaderCollected: true }), []);
    const younger = [at(100, 1), at(160, 1, { runId: 'r', startTicks: 500 }), at(161, 160)];
    assert.deepEqual(pidsOf(younger, { ...root, isLeaderCollected: true }), [160]);
  });

  test('never when it is spared, nor through one that is', () => {
    const table = [at(103, 1, { runId: 'r' }), at(104, 103)];
    assert.deepEqual(pidsOf(table, root, new Set([103])), []);
  });

  test('a ring or a very long line of parents does no harm', () => {
    const ring = [at(200, 201, { startTicks: 1 }), at(201, 200, { startTicks: 1 })];
    assert.deepEqual(pidsOf(ring), []);
    const line = Array.from({ length: 30_000 }, (_, index) => at(100 + index, 99 + index));
    assert.equal(pidsOf(line.reverse()).length, 30_000);
  });
});

function createLostRun(runId: string): PooledRun {
  return new PooledRun({
    id: 1,
    spec: {
      runId,
      job: 'test',
      shell: '/bin/sh',
      command: 'true',
      workingDirectory: '/',
      environment: { CRON_RUN_ID: runId },
      timeoutMs: 1000,
      killGraceMs: 1000,
      maxOutputBytes: 1000,
      guarded: false,
    },
    listener: { onStarted: () => undefined, onOutput: () => undefined },
    startBy: 0,
    clock: systemClock,
    onOver: () => undefined,
  });
}

test('a lost run is killed, by its group or, when its start was never heard of, by its run id', async () => {
  const known = createLostRun('lost-known');
  known.pid = await startGroup("trap '' TERM; sleep 60; sleep 60");
  known.confirmedAtMs = systemClock.monotonicMs();
  const unheard = createLostRun('lost-unheard');
  const unheardGroup = await startGroup('sleep 60', { CRON_RUN_ID: 'lost-unheard' });
  await killLostRuns([known, unheard], systemClock);
  assert.equal(hasLiveMember(known.pid), false);
  assert.equal(hasLiveMember(unheardGroup), false);
});

test('a number that was given to a younger process is left alone', async () => {
  const lost = createLostRun('lost-long-ago');
  lost.pid = await startGroup('sleep 60');
  lost.confirmedAtMs = systemClock.monotonicMs() - 60_000;
  await killLostRuns([lost], systemClock);
  assert.equal(hasLiveMember(lost.pid), true);
});

test('numbers that would reach beyond one group are never signalled', () => {
  for (const number of [0, 1, -1, 1.5, Number.NaN]) {
    assert.equal(signalGroup(number, 'SIGCONT'), false);
    assert.equal(groupExists(number), false);
  }
  assert.equal(processAgeMs(2 ** 30), undefined);
});
