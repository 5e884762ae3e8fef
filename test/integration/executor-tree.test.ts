/** The end of a run reaches what left its process group, and nothing else. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { pino } from 'pino';
import type { Executor } from '../../worker/executor/port.ts';
import { ExecutorProcess } from '../support/executor-process.ts';
import { now, runOn, startExecutor, theGuardian, waitUntil } from '../support/executor-rig.ts';
import { TokenFolder } from '../support/process-tokens.ts';

let folder: TokenFolder;
beforeEach(() => {
  folder = new TokenFolder();
});
afterEach(() => folder.stop());

/** A fence or a dead watcher kills the group at once, and so cannot look at who is whose child first. */
function escapesOf(nap: string, cause: 'kill' | 'timeout' | 'fence'): ReturnType<typeof escapes> {
  return escapes(nap, cause === 'fence');
}

/** Shell words that leave `count` napping processes outside the shell's group, each in its own way. */
function escapes(
  nap: string,
  isFindable = true,
): { readonly command: string; readonly count: number } {
  const ways = [
    `setsid ${nap} 60 &`,
    `(setsid sh -c '${nap} 60 & exit' &)`,
    `(setsid sh -c 'trap "" TERM; ${nap} 60; ${nap} 60' &)`,
    `setsid sh -c "trap '' TERM HUP INT; (${nap} 60 &) ; exit" &`,
    `sh -c 'set -m; ${nap} 60 & exit' &`,
    // Known only while its parent lives.
    ...(isFindable ? [] : [`env -i setsid ${nap} 60 &`]),
  ];
  return { command: ways.join('\n'), count: ways.length };
}

describe('a tree beyond its group', () => {
  let executor: Executor;
  before(async () => {
    executor = await startExecutor(16);
  });
  after(async () => {
    await executor.stop();
  });

  for (const cause of ['kill', 'timeout', 'fence'] as const) {
    test(`none is left after a ${cause}`, async (context) => {
      const { command, count } = escapesOf(folder.nap, cause);
      const bystander = runOn(executor, `exec setsid ${folder.nap} 77`);
      const run = runOn(executor, `${command}\nwait; ${folder.nap} 60`, {
        killGraceMs: 700,
        guarded: cause === 'fence',
        ...(cause === 'timeout' ? { timeoutMs: 1_500 } : {}),
      });
      await run.started;
      await waitUntil('all of them', () => folder.find(' 60').length > count);
      const orderedMs = now();
      if (cause === 'kill') run.handle.kill('order');
      if (cause === 'fence') executor.setDeadline(now());
      const result = await run.result;
      const tookMs = now() - orderedMs;
      executor.setDeadline(now() + 3_600_000);
      assert.equal(result.endedBy, cause);
      assert.deepEqual(folder.find(' 60'), []);
      context.diagnostic(`gone ${tookMs.toFixed(0)} ms after the order`);
      if (cause !== 'timeout') assert.ok(tookMs < (cause === 'kill' ? 700 : 0) + 1_000);
      assert.equal(folder.find(' 77').length, 1);
      bystander.handle.kill('done', 0);
      await bystander.result;
    });
  }

  test('what left the group sees its TERM, and may tidy up within the grace', async () => {
    const tidy = folder.script(
      'tidy',
      `trap 'echo tidied > ${folder.file('tidied')}; exit' TERM; echo > ${folder.file('up')}; while :; do $NAP 0.05; done`,
    );
    const run = runOn(executor, `setsid ${tidy} & exec ${folder.nap} 60`, { killGraceMs: 30_000 });
    await waitUntil('it to be up', () => existsSync(folder.file('up')));
    const orderedMs = now();
    run.handle.kill('order');
    assert.equal((await run.result).signal, 'SIGTERM');
    assert.ok(existsSync(folder.file('tidied')));
    assert.ok(now() - orderedMs < 5_000);
    assert.deepEqual(folder.find(), []);
  });

  test('what it starts only when told to end is found, too', async () => {
    const late = folder.script(
      'late',
      `trap '(setsid $NAP 60 &); exit' TERM; while :; do $NAP 0.05; done`,
    );
    const run = runOn(executor, late, { killGraceMs: 500 });
    await waitUntil('it to be up', () => folder.find('nap').length > 0);
    run.handle.kill('order');
    await run.result;
    assert.deepEqual(folder.find(), []);
  });

  for (const graceMs of [0, 300]) {
    test(`a relay that hands itself on for ever, killed after ${String(graceMs)} ms`, async (context) => {
      const steps = folder.file('steps');
      const relay = folder.script(
        'relay',
        `trap '' TERM; [ -e $STOP ] && exit; echo >> ${steps}; setsid "$0" > /dev/null 2>&1 & exit`,
      );
      const run = runOn(executor, `trap '' TERM; ${relay}; ${relay}; ${relay}; ${folder.nap} 60`, {
        killGraceMs: graceMs,
      });
      const countSteps = (): number => (existsSync(steps) ? statSync(steps).size : 0);
      await waitUntil('it to be up', () => countSteps() >= 10);
      const orderedMs = now();
      run.handle.kill('order');
      await run.result;
      const tookMs = now() - orderedMs;
      const taken = countSteps();
      context.diagnostic(`gone ${(tookMs - graceMs).toFixed(0)} ms after the grace`);
      assert.ok(tookMs < graceMs + 1_000, `${tookMs.toFixed(0)} ms`);
      // A look at the processes may miss one; no step in a hundred times its length is none.
      const untilMs = now() + 200;
      await waitUntil('time to pass', () => now() > untilMs);
      assert.equal(countSteps(), taken);
      assert.deepEqual(folder.find(), []);
    });
  }

  test('a tree that grows, ignores TERM and replaces what it loses', async (context) => {
    const grow = folder.script(
      'grow',
      `trap '' TERM
      while [ ! -e $STOP ]; do
        if [ "$1" -gt 0 ]; then setsid "$0" $(($1 - 1)) & fi
        setsid $NAP 0.3 &
        wait
      done`,
    );
    const run = runOn(executor, `trap '' TERM; for i in 1 2 3 4 5 6; do ${grow} 4 & done; wait`, {
      killGraceMs: 200,
    });
    await waitUntil('it to be up', () => folder.find('grow').length >= 30);
    const orderedMs = now();
    run.handle.kill('order');
    await run.result;
    const tookMs = now() - orderedMs;
    context.diagnostic(`gone ${(tookMs - 200).toFixed(0)} ms after the grace`);
    assert.deepEqual(folder.find(), []);
    assert.ok(tookMs < 1_200, `${tookMs.toFixed(0)} ms`);
  });

  test('a daemon of a run that ends by itself lives on', async () => {
    const run = runOn(executor, `setsid ${folder.nap} 60 > /dev/null 2>&1 & echo started`);
    assert.equal(await run.text(), 'started\n');
    assert.equal((await run.result).endedBy, 'itself');
    await waitUntil('it to be up', () => folder.find(' 60').length === 1);
    const other = runOn(executor, `exec ${folder.nap} 61`);
    await other.started;
    other.handle.kill('order');
    await other.result;
    assert.equal(folder.find(' 60').length, 1);
  });

  test('stop() leaves nothing', async () => {
    const stopped = await startExecutor(2);
    const { command, count } = escapes(folder.nap);
    const run = runOn(stopped, `${command}\nwait; ${folder.nap} 60`);
    await waitUntil('all of them', () => folder.find(' 60').length > count);
    await stopped.stop();
    assert.equal((await run.result).reason, 'the worker is stopping');
    assert.deepEqual(folder.find(), []);
  });
});

describe('a tree whose watch is gone', () => {
  let worker: ExecutorProcess | undefined;
  afterEach(async () => {
    await worker?.kill();
    worker = undefined;
  });

  test('the worker is killed', async (context) => {
    worker = new ExecutorProcess();
    worker.setDeadline(now() + 60_000);
    const { command, count } = escapes(folder.nap);
    await worker.run('a', `${command}\nwait; ${folder.nap} 60`);
    await waitUntil('all of them', () => folder.find(' 60').length > count);
    const killedMs = now();
    await worker.kill();
    await waitUntil('all to be gone', () => folder.find(' 60').length === 0);
    context.diagnostic(`gone after ${(now() - killedMs).toFixed(0)} ms`);
  });

  test('the guardian is killed', async () => {
    const executor = await startExecutor();
    try {
      const { command, count } = escapes(folder.nap);
      const run = runOn(executor, `${command}\nwait; ${folder.nap} 60`);
      await waitUntil('all of them', () => folder.find(' 60').length > count);
      process.kill(theGuardian(), 'SIGKILL');
      assert.equal((await run.result).endedBy, 'guardian-lost');
      assert.deepEqual(folder.find(' 60'), []);
    } finally {
      await executor.stop();
    }
  });

  test('both are killed: the next life ends what is left, and spares the daemons of ended runs', async (context) => {
    const openRunsPath = folder.file('open-runs');
    worker = new ExecutorProcess({ openRunsPath });
    worker.setDeadline(now() + 60_000);
    await worker.run('ended', `setsid ${folder.nap} 77 > /dev/null 2>&1 &`);
    await worker.event('result', 'ended');
    const left = `trap '' TERM; setsid ${folder.nap} 60 & (setsid sh -c 'trap "" TERM; ${folder.nap} 60; ${folder.nap} 60' &) ; ${folder.nap} 60; ${folder.nap} 60`;
    await worker.run('left', left, { runId: 'left-1', environment: { CRON_RUN_ID: 'left-1' } });
    await waitUntil('all of them', () => folder.find('nap 60').length >= 4);
    const guardian = theGuardian(worker.pid);
    process.kill(guardian, 'SIGSTOP');
    await worker.kill();
    process.kill(guardian, 'SIGKILL');
    // The spawner, if there is one, ends the group; what left the group is there.
    assert.ok(folder.find('nap 60').length >= 2);

    const lines: string[] = [];
    const logger = pino({}, { write: (line: string) => void lines.push(line) });
    const startedMs = now();
    const next = await startExecutor(2, undefined, { openRunsPath, logger });
    context.diagnostic(`the next life was ready after ${(now() - startedMs).toFixed(0)} ms`);
    try {
      assert.deepEqual(folder.find(' 60'), []);
      assert.equal(folder.find(' 77').length, 1);
      const said = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
      const [ended, ...others] = said.filter(({ runId }) => runId !== undefined);
      assert.deepEqual(others, []);
      assert.equal(ended?.['runId'], 'left-1');
      assert.equal(ended['job'], 'test');
      assert.equal(await runOn(next, 'echo works').text(), 'works\n');
    } finally {
      await next.stop();
    }
    lines.length = 0;
    const third = await startExecutor(2, undefined, { openRunsPath, logger });
    await third.stop();
    assert.deepEqual(lines, []);
    writeFileSync(openRunsPath, 'garbage\n+torn');
    const fourth = await startExecutor(2, undefined, { openRunsPath });
    await fourth.stop();
    assert.equal(folder.find(' 77').length, 1);
  });
});

describe('a tree in a cgroup of its own', () => {
  let executor: Executor;
  let refusal: string | undefined;
  before(async () => {
    const write = (line: string): void => {
      refusal ??= /runs get no cgroup[^"]*/.exec(line)?.[0];
    };
    executor = await startExecutor(8, undefined, { cgroups: true, logger: pino({}, { write }) });
  });
  after(async () => {
    await executor.stop();
  });

  /** What nothing but the cgroup knows: an orphan in a session of its own that bears no run id. */
  const unknown = (): string =>
    `env -i sh -c 'setsid sh -c "trap : TERM; ${folder.nap} 60" & exit'`;

  for (const cause of ['kill', 'fence'] as const) {
    test(`none is left after a ${cause}, not even what emptied its environment`, async (context) => {
      const run = runOn(executor, `${unknown()}; ${folder.nap} 60`, {
        killGraceMs: 300,
        guarded: cause === 'fence',
      });
      await run.started;
      if (refusal !== undefined) {
        run.handle.kill('nothing to see', 0);
        await run.result;
        context.skip(refusal);
        return;
      }
      await waitUntil('all of them', () => folder.find('nap 60').length >= 3);
      const orderedMs = now();
      if (cause === 'kill') run.handle.kill('order');
      else executor.setDeadline(now());
      const result = await run.result;
      executor.setDeadline(now() + 3_600_000);
      assert.equal(result.endedBy, cause);
      assert.deepEqual(folder.find(), []);
      assert.ok(now() - orderedMs < 1_300);
      assert.deepEqual(cgroupsOf(run.handle.runId), []);
    });
  }

  test('a daemon lives on in it; the cgroup goes once it is empty', async (context) => {
    const run = runOn(
      executor,
      `setsid ${folder.nap} 60 > /dev/null 2>&1 & echo $(cat /proc/self/cgroup)`,
    );
    const said = await run.text();
    if (refusal !== undefined) {
      context.skip(refusal);
      return;
    }
    assert.ok(said.includes(`cronmesh-run-${run.handle.runId}`), said);
    await waitUntil('it to be up', () => folder.find(' 60').length === 1);
    assert.equal(cgroupsOf(run.handle.runId).length, 1);
    process.kill(folder.find(' 60')[0] ?? 0, 'SIGKILL');
    await waitUntil('it to be gone', () => folder.find().length === 0);
    await runOn(executor, 'true').result;
    await waitUntil('its cgroup to be gone', () => cgroupsOf(run.handle.runId).length === 0);
  });
});

/** The cgroup folders of a run, beneath this process's own. */
function cgroupsOf(runId: string): string[] {
  const own = /^0::(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'))?.[1] ?? '/';
  return ['/sys/fs/cgroup', '/sys/fs/cgroup/unified']
    .map((mount) => join(mount, own, `cronmesh-run-${runId}`))
    .filter((path) => existsSync(path));
}
