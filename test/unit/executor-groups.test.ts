/** Looking for and signalling process groups, against groups of this test's own. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, test } from 'node:test';
import { systemClock } from '../../shared/clock.ts';
import { killLostRuns } from '../../worker/executor/lost-runs.ts';
import { PooledRun } from '../../worker/executor/pooled-run.ts';
import {
  findGroupsByEnvironment,
  groupExists,
  leaderAgeMs,
  readLiveGroups,
  signalGroup,
  terminateGroup,
} from '../../worker/guardian/process-group.ts';

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
  assert.equal(readLiveGroups()?.has(groupId), true);
  assert.ok((leaderAgeMs(groupId) ?? Infinity) < 30_000);
  const exited = once(started[0] as ChildProcess, 'exit');
  assert.equal(terminateGroup(groupId), true);
  await exited;
  assert.equal(readLiveGroups()?.has(groupId), false);
  assert.equal(leaderAgeMs(groupId), undefined);
});

test('a group is found by an entry of its environment, whole and exact', async () => {
  const groupId = await startGroup('sleep 60', { CRON_RUN_ID: 'abc-1', OTHER: 'x' });
  assert.deepEqual(findGroupsByEnvironment('CRON_RUN_ID=abc-1'), [groupId]);
  assert.deepEqual(findGroupsByEnvironment('CRON_RUN_ID=abc'), []);
  assert.deepEqual(findGroupsByEnvironment('RUN_ID=abc-1'), []);
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
  const live = readLiveGroups();
  assert.equal(live?.has(known.pid), false);
  assert.equal(live?.has(unheardGroup), false);
});

test('a number that was given to a younger process is left alone', async () => {
  const lost = createLostRun('lost-long-ago');
  lost.pid = await startGroup('sleep 60');
  lost.confirmedAtMs = systemClock.monotonicMs() - 60_000;
  await killLostRuns([lost], systemClock);
  assert.equal(readLiveGroups()?.has(lost.pid), true);
});

test('numbers that would reach beyond one group are never signalled', () => {
  for (const number of [0, 1, -1, 1.5, Number.NaN]) {
    assert.equal(signalGroup(number, 'SIGCONT'), false);
    assert.equal(groupExists(number), false);
  }
  assert.equal(leaderAgeMs(2 ** 30), undefined);
});
