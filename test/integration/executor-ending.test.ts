/** Ending runs: timeout and kill order, grace, the whole process group, the session deadline. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Executor } from '../../worker/executor/port.ts';
import {
  isAlive,
  liveMembers,
  now,
  runOn,
  startExecutor,
  waitUntil,
  type RigRun,
} from '../support/executor-rig.ts';

/** Generous: this machine may be busy with other tests. */
const soonMs = 3_000;

/** Without what a shell may say of its own about the signal. */
function stdoutOf(run: RigRun): string {
  const pieces = run.pieces.filter((piece) => piece.stream === 'stdout');
  return Buffer.concat(pieces.map((piece) => piece.data)).toString();
}

describe('ending runs', () => {
  let executor: Executor;
  before(async () => {
    executor = await startExecutor(16);
  });
  after(async () => {
    await executor.stop();
  });

  /** Resolves when the run has said `count` lines. */
  async function linesOf(run: RigRun, count: number): Promise<string[]> {
    let lines: string[] = [];
    await waitUntil(`${String(count)} lines`, () => {
      const text = Buffer.concat(run.pieces.map((piece) => piece.data)).toString();
      lines = text.split('\n').slice(0, -1);
      return lines.length >= count;
    });
    return lines;
  }

  test('a timeout sends TERM, and the run may tidy up', async () => {
    const run = runOn(executor, "trap 'echo tidy; exit 9' TERM; while :; do sleep 0.05; done", {
      timeoutMs: 300,
      killGraceMs: 30_000,
    });
    const result = await run.result;
    assert.equal(result.endedBy, 'timeout');
    assert.equal(result.reason, 'still running after 0.3 s');
    assert.equal(result.exitCode, 9);
    assert.equal(stdoutOf(run), 'tidy\n');
    assert.ok(result.endedAt - (result.startedAt ?? 0) >= 299);
  });

  test('what ignores TERM is killed after the grace, and not before', async () => {
    const run = runOn(executor, "trap '' TERM; while :; do sleep 0.05; done", {
      timeoutMs: 200,
      killGraceMs: 400,
    });
    const result = await run.result;
    assert.equal(result.endedBy, 'timeout');
    assert.equal(result.signal, 'SIGKILL');
    const tookMs = result.endedAt - (result.startedAt ?? 0);
    assert.ok(tookMs >= 590 && tookMs < 600 + soonMs, `${String(tookMs)} ms`);
  });

  test('a kill reaches the whole group, and carries its reason', async () => {
    const run = runOn(executor, 'sleep 60 & (sleep 60 & sleep 60) & echo up; wait');
    await linesOf(run, 1);
    const groupId = await run.started;
    await waitUntil('four processes', () => liveMembers(groupId).length >= 4);
    run.handle.kill('asked by ann');
    run.handle.kill('asked by bob');
    const result = await run.result;
    assert.equal(result.endedBy, 'kill');
    assert.equal(result.reason, 'asked by ann');
    assert.equal(result.signal, 'SIGTERM');
    assert.deepEqual(liveMembers(groupId), []);
    run.handle.kill('too late');
    assert.equal(await run.result, result);
  });

  test('a run is not over while a member of its group that ignores TERM is left', async () => {
    const run = runOn(executor, "(trap '' TERM; while :; do sleep 0.05; done) & echo up; wait", {
      killGraceMs: 600,
    });
    await linesOf(run, 1);
    const groupId = await run.started;
    const orderedAt = Date.now();
    run.handle.kill('order');
    const result = await run.result;
    assert.equal(result.endedBy, 'kill');
    assert.equal(result.signal, 'SIGTERM');
    assert.ok(result.endedAt - orderedAt >= 590, `${String(result.endedAt - orderedAt)} ms`);
    assert.deepEqual(liveMembers(groupId), []);
  });

  test('what is written during the grace is kept', async () => {
    const run = runOn(
      executor,
      "(trap 'sleep 0.2; echo last words; exit' TERM; echo up; while :; do sleep 0.02; done) & wait",
      { killGraceMs: 10_000 },
    );
    await linesOf(run, 1);
    run.handle.kill('order');
    await run.result;
    assert.equal(stdoutOf(run), 'up\nlast words\n');
  });

  test('a grace of 0 is KILL at once, also on top of a long one', async () => {
    const run = runOn(executor, "trap '' TERM; echo up; while :; do sleep 0.05; done", {
      killGraceMs: 600_000,
    });
    await linesOf(run, 1);
    const startedMs = now();
    run.handle.kill('politely');
    run.handle.kill('now', 0);
    const result = await run.result;
    assert.equal(result.signal, 'SIGKILL');
    assert.equal(result.reason, 'politely');
    assert.ok(now() - startedMs < soonMs);
  });

  test('stopped processes are woken to see their TERM', async () => {
    const run = runOn(executor, 'echo up; kill -STOP $$; echo woken', { killGraceMs: 600_000 });
    const pid = await run.started;
    await linesOf(run, 1);
    await waitUntil('stopped', () => isAlive(pid));
    run.handle.kill('order');
    assert.equal((await run.result).endedBy, 'kill');
  });

  test('killed before it was started', async () => {
    const run = runOn(executor, 'echo never');
    run.handle.kill('changed my mind');
    const result = await run.result;
    assert.equal(result.endedBy, 'kill');
    assert.equal(result.startedAt, undefined);
    assert.equal(result.outputBytes, 0);
  });

  test('the deadline kills guarded runs at once, leaves others, and a later one opens again', async () => {
    const stubborn = "trap '' TERM; sleep 60 & while :; do sleep 0.05; done";
    const guarded = Array.from({ length: 3 }, () =>
      runOn(executor, stubborn, { guarded: true, killGraceMs: 600_000 }),
    );
    const free = runOn(executor, 'sleep 60');
    const groups = await Promise.all(guarded.map((run) => run.started));
    const freePid = await free.started;
    const deadlineMs = now() + 300;
    executor.setDeadline(deadlineMs);
    for (const run of guarded) {
      const result = await run.result;
      assert.equal(result.endedBy, 'fence');
      assert.equal(result.reason, 'the session deadline has passed');
    }
    assert.ok(now() >= deadlineMs);
    assert.ok(now() < deadlineMs + soonMs);
    assert.deepEqual(groups.flatMap(liveMembers), []);
    assert.ok(isAlive(freePid));
    assert.equal((await runOn(executor, 'true').result).endedBy, 'refused');
    executor.setDeadline(now() + 60_000);
    assert.equal((await runOn(executor, 'true').result).exitCode, 0);
    free.handle.kill('done', 0);
    await free.result;
  });

  test('a deadline that moves on in time kills nothing', async () => {
    executor.setDeadline(now() + 200);
    const run = runOn(executor, 'sleep 0.5; echo through', { guarded: true });
    await run.started;
    executor.setDeadline(now() + 60_000);
    assert.equal(await run.text(), 'through\n');
    assert.equal((await run.result).endedBy, 'itself');
  });
});
