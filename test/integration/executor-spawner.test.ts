/** The spawner: what it starts is what Node would have started, and it never outlives its guardian. */
import assert from 'node:assert/strict';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Executor } from '../../worker/executor/port.ts';
import { ExecutorProcess } from '../support/executor-process.ts';
import {
  findSpawner,
  isAlive,
  liveMembers,
  now,
  readProcess,
  runOn,
  startExecutor,
  theGuardian,
  theSpawner,
  waitUntil,
} from '../support/executor-rig.ts';

/** All that a process is given beside its words. */
const inheritance = [
  'cat /proc/self/status | grep -E "^(Uid|Gid|Groups|Umask|NoNewPrivs|Seccomp|Cap...):"',
  // The shell itself changes none of these before its first child.
  'grep -E "^Sig(Blk|Ign|Cgt)" /proc/self/status',
  'cat /proc/self/limits /proc/self/cgroup /proc/self/oom_score_adj',
  'cut -d" " -f18,19,40,41 /proc/self/stat',
  'cat /proc/$$/cmdline | tr "\\0" "\\n" | tail -n +1 | head -n 2',
  'for fd in /proc/$$/fd/*; do n=${fd##*/}; echo $n $(readlink $fd | cut -c1-9 | tr -d 0-9); done',
  'cat /proc/$$/fdinfo/[012] | grep flags',
  'env -0 | sort -z | tr "\\0" "\\n"',
  'printf "%s" "$STRANGE" | od -c',
].join('\n');

describe('the spawner', () => {
  let executor: Executor;
  let folder: string;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'cronmesh-spawner-'));
    executor = await startExecutor(4);
  });
  after(async () => {
    await executor.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  test('what it starts has what Node gives, and nothing beside', async () => {
    const environment = { PATH: '/usr/bin:/bin', STRANGE: 'é\n=\u{1F600}\\$x', EMPTY: '' };
    const options = { environment, workingDirectory: folder };
    const node = await startExecutor(1, undefined, { spawner: false });
    try {
      await theSpawner(executor);
      const [its, nodes] = [
        await runOn(executor, inheritance, options).text(),
        await runOn(node, inheritance, options).text(),
      ];
      assert.match(its, /^SigIgn:\t0+$/m);
      assert.ok(its.split('\n').length > 40);
      assert.equal(its, nodes);
    } finally {
      await node.stop();
    }
  });

  test('no signal is blocked in what it starts', async () => {
    // Not by way of a shell, which sets its own.
    const shell = join(folder, 'signals');
    writeFileSync(shell, "#!/usr/bin/perl\nopen F, '/proc/self/status'; print grep /^SigBlk/, <F>");
    chmodSync(shell, 0o755);
    await theSpawner(executor);
    const nodes = await runOn(executor, '', { shell }).text();
    const its = await runOn(executor, '', { shell }).text();
    assert.match(its, /^SigBlk:\t0+\n$/);
    assert.equal(its, nodes);
  });

  test('every exit code and signal is what it was', async () => {
    await theSpawner(executor);
    for (const code of [0, 1, 126, 127, 128, 137, 143, 255]) {
      const { exitCode, signal } = await runOn(executor, `exit ${String(code)}`).result;
      assert.deepEqual({ exitCode, signal }, { exitCode: code, signal: undefined });
    }
    for (const name of ['SIGKILL', 'SIGTERM', 'SIGABRT', 'SIGFPE', 'SIGPIPE', 'SIGUSR1'] as const) {
      const { exitCode, signal } = await runOn(executor, `kill -${name.slice(3)} $$`).result;
      assert.deepEqual({ exitCode, signal }, { exitCode: undefined, signal: name });
    }
  });

  test('a shell that goes is told as what it is, and is found again', async () => {
    await theSpawner(executor);
    const shell = join(folder, 'shell');
    const make = (): void => {
      copyFileSync('/bin/sh', shell);
      chmodSync(shell, 0o755);
    };
    make();
    for (let count = 0; count < 2; count += 1) {
      assert.equal((await runOn(executor, 'exit 3', { shell }).result).exitCode, 3);
    }
    rmSync(shell);
    for (let count = 0; count < 2; count += 1) {
      const gone = await runOn(executor, 'exit 3', { shell }).result;
      assert.equal(gone.endedBy, 'spawn-error');
      assert.equal(gone.reason, `shell ${shell} does not exist`);
    }
    make();
    assert.equal((await runOn(executor, 'exit 3', { shell }).result).exitCode, 3);
    assert.equal(executor.freeSlots(), executor.slots);
  });

  test('stopped, it is a guardian that does not answer, and starts nothing late', async () => {
    const spawner = await theSpawner(executor);
    const [late, ended] = [join(folder, 'late'), join(folder, 'ended')];
    process.kill(spawner, 'SIGSTOP');
    let tooLate;
    let killed;
    try {
      tooLate = runOn(executor, `echo > ${late}`, {}, now() + 100);
      killed = runOn(executor, `sleep 1; echo > ${ended}`);
      killed.handle.kill('not wanted', 0);
      await waitUntil('not healthy', () => !executor.healthy());
    } finally {
      process.kill(spawner, 'SIGCONT');
    }
    assert.equal((await tooLate.result).endedBy, 'refused');
    assert.equal((await killed.result).endedBy, 'kill');
    assert.ok(!existsSync(late) && !existsSync(ended));
    await waitUntil('healthy', () => executor.healthy());
    assert.equal(await theSpawner(executor), spawner);
  });

  test('when it dies its guardian and their runs go with it, and others take over', async () => {
    const spawner = await theSpawner(executor);
    const guardian = theGuardian();
    const run = runOn(executor, "trap '' TERM; sleep 60 & sleep 60", { guarded: true });
    const groupId = await run.started;
    assert.equal(readProcess(groupId)?.parentId, spawner);
    process.kill(spawner, 'SIGKILL');
    assert.equal((await run.result).endedBy, 'guardian-lost');
    assert.deepEqual(liveMembers(groupId), []);
    await waitUntil('the guardian to be gone', () => !isAlive(guardian));
    await waitUntil('another', () => executor.healthy());
    assert.notEqual(await theSpawner(executor), spawner);
  });

  test('worker and guardian killed together take the groups of their runs along', async () => {
    const worker = new ExecutorProcess();
    try {
      await worker.event('ready');
      worker.setDeadline(now() + 60_000);
      await worker.run('first', 'exit 0');
      const guardian = theGuardian(worker.pid);
      await waitUntil('the spawner', () => findSpawner(guardian) !== undefined);
      const spawner = findSpawner(guardian) ?? 0;
      let group = 0;
      for (let count = 0; readProcess(group)?.parentId !== spawner; count += 1) {
        group = await worker.run(`nap-${String(count)}`, "trap '' TERM; sleep 60; sleep 60");
      }
      process.kill(guardian, 'SIGSTOP');
      await worker.kill();
      process.kill(guardian, 'SIGKILL');
      await waitUntil('the group to be gone', () => liveMembers(group).length === 0);
      await waitUntil('the spawner to be gone', () => !isAlive(spawner));
    } finally {
      await worker.kill();
    }
  });

  test('what it is told in one breath all starts, and every end is heard', async () => {
    const many = await startExecutor(200);
    try {
      await theSpawner(many);
      const file = join(folder, 'lines');
      writeFileSync(file, '');
      const runs = Array.from({ length: 200 }, (_, i) =>
        runOn(many, `echo ${String(i)} >> ${file}; echo out; exit ${String(i)}`),
      );
      for (const [i, run] of runs.entries()) {
        assert.equal((await run.result).exitCode, i);
        assert.equal(await run.text(), 'out\n');
      }
      assert.equal(new Set(readFileSync(file, 'utf8').trim().split('\n')).size, 200);
    } finally {
      await many.stop();
    }
  });
});
