/** The guardian and its worker, when either of them is killed, stopped, or never comes up. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { isCronmeshError } from '../../shared/errors.ts';
import {
  channelDescriptor,
  decodeFromGuardian,
  encodeMessage,
  FrameReader,
} from '../../worker/guardian/messages.ts';
import {
  createSpec,
  findGuardians,
  isAlive,
  listProcesses,
  liveMembers,
  now,
  readMemoryMib,
  readProcess,
  runOn,
  startExecutor,
  theGuardian,
  waitUntil,
} from '../support/executor-rig.ts';
import { ExecutorProcess } from '../support/executor-process.ts';

const strayDescriptor = 40;

describe('the guardian', () => {
  let worker: ExecutorProcess | undefined;
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'cronmesh-executor-'));
  });
  afterEach(async () => {
    await worker?.kill();
    worker = undefined;
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  async function startWorker(stray?: number): Promise<ExecutorProcess> {
    worker = new ExecutorProcess(
      stray === undefined ? {} : { stray: { file: stray, as: strayDescriptor } },
    );
    await worker.event('ready');
    return worker;
  }

  test('kills guarded runs at the deadline while the worker is stopped', async (context) => {
    const stopped = await startWorker();
    const deadlineMs = now() + 1_500;
    stopped.setDeadline(deadlineMs);
    const guarded = await stopped.run('guarded', "trap '' TERM; sleep 60 & sleep 60; sleep 60", {
      guarded: true,
    });
    const free = await stopped.run('free', 'sleep 60');
    await waitUntil('its child', () => liveMembers(guarded).length >= 2);
    stopped.signal('SIGSTOP');
    assert.ok(now() < deadlineMs);
    let diedMs = 0;
    await waitUntil('the guarded group to die', () => {
      const left = liveMembers(guarded).length;
      diedMs = now();
      assert.ok(left > 0 || diedMs >= deadlineMs, 'killed before the deadline');
      return left === 0;
    });
    context.diagnostic(`gone ${(diedMs - deadlineMs).toFixed(1)} ms after the deadline`);
    assert.ok(diedMs < deadlineMs + 500, `${(diedMs - deadlineMs).toFixed(0)} ms late`);
    assert.ok(isAlive(free));
    // What the worker asks for next, it asks for after the deadline.
    stopped.order('late', 'true', {}, now() + 60_000);
    assert.equal(readProcess(stopped.pid)?.state, 'T');
    stopped.signal('SIGCONT');
    assert.equal((await stopped.event('result', 'guarded')).result?.endedBy, 'fence');
    assert.equal((await stopped.event('result', 'late')).result?.endedBy, 'refused');
    assert.ok(isAlive(free));
  });

  test('passes on nothing that its worker was left open', async () => {
    const file = openSync(join(folder, 'stray'), 'w');
    const left = await startWorker(file);
    closeSync(file);
    assert.ok(existsSync(`/proc/${String(left.pid)}/fd/${String(strayDescriptor)}`));
    left.setDeadline(now() + 60_000);
    await left.run('a', `test ! -e /proc/self/fd/${String(strayDescriptor)}`);
    assert.equal((await left.event('result', 'a')).result?.exitCode, 0);
  });

  test('kills everything when the worker is killed, and goes', async () => {
    const killed = await startWorker();
    killed.setDeadline(now() + 60_000);
    const groups = [
      await killed.run('a', "trap '' TERM HUP INT; sleep 60 & sleep 60; sleep 60"),
      await killed.run('b', 'sleep 60', { guarded: true }),
      await killed.run('c', 'yes > /dev/null'),
    ];
    const guardian = theGuardian(killed.pid);
    const killedMs = now();
    await killed.kill();
    await waitUntil('all to be gone', () => groups.flatMap(liveMembers).length === 0);
    await waitUntil('the guardian to be gone', () => !isAlive(guardian));
    assert.ok(now() - killedMs < 1_000, `${(now() - killedMs).toFixed(0)} ms`);
  });

  test('outlives what is meant for the worker', async () => {
    const alive = await startWorker();
    alive.setDeadline(now() + 60_000);
    const pid = await alive.run('a', 'sleep 60');
    const guardian = theGuardian(alive.pid);
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR2'] as const) {
      process.kill(guardian, signal);
    }
    await alive.run('b', 'sleep 60');
    assert.ok(isAlive(pid));
    assert.equal(theGuardian(alive.pid), guardian);
    assert.notEqual(readProcess(guardian)?.groupId, readProcess(alive.pid)?.groupId);
  });

  test('holds runs up, and not their output, while the worker does not read', async (context) => {
    const slow = await startWorker();
    slow.setDeadline(now() + 600_000);
    const bytes = 60_000_000;
    const gate = join(folder, 'gate');
    const flood = `while [ ! -e ${gate} ]; do sleep 0.01; done; exec head -c ${String(bytes)} /dev/zero`;
    const pid = await slow.run('flood', flood, { maxOutputBytes: bytes });
    const guardian = theGuardian(slow.pid);
    const heldMib = readMemoryMib(guardian, 'VmRSS');
    slow.signal('SIGSTOP');
    writeFileSync(gate, '');
    let written = -1;
    await waitUntil('the flood to stand still', () => {
      const last = written;
      written = Number(
        /^wchar: (\d+)$/m.exec(readFileSync(`/proc/${String(pid)}/io`, 'utf8'))?.[1],
      );
      return written > 1_000_000 && written === last;
    });
    const grown = readMemoryMib(guardian, 'VmHWM') - heldMib;
    context.diagnostic(
      `stood still at ${(written / 2 ** 20).toFixed(1)} MiB; guardian grew by ${grown.toFixed(1)} MiB`,
    );
    assert.ok(written < 8 * 2 ** 20, `${String(written)} bytes were taken`);
    assert.ok(grown < 24, `${grown.toFixed(1)} MiB`);
    slow.signal('SIGCONT');
    const end = await slow.event('result', 'flood');
    assert.equal(end.result?.endedBy, 'itself');
    assert.equal(end.result?.outputBytes, bytes);
    assert.equal(end.bytes, bytes);
    assert.equal(end.inOrder, true);
  });

  test('when it dies its runs die and say so, and another takes over', async () => {
    const executor = await startExecutor();
    try {
      const running = runOn(
        executor,
        "trap '' TERM; sleep 60 & echo up; while :; do sleep 0.05; done",
      );
      const groupId = await running.started;
      await waitUntil('output', () => running.pieces.length > 0);
      const first = theGuardian();
      process.kill(first, 'SIGSTOP');
      // Never confirmed: the first guardian may have spawned them or not.
      const unconfirmed = Array.from({ length: 3 }, () => runOn(executor, 'sleep 60'));
      process.kill(first, 'SIGKILL');
      await waitUntil('it to be noticed', () => !executor.healthy());
      const waiting = runOn(executor, 'echo by the second');
      const result = await running.result;
      assert.equal(result.endedBy, 'guardian-lost');
      assert.match(result.reason ?? '', /SIGKILL/);
      assert.equal(result.outputBytes, 3);
      assert.deepEqual(liveMembers(groupId), []);
      for (const run of unconfirmed) assert.equal((await run.result).endedBy, 'guardian-lost');
      assert.equal(await waiting.text(), 'by the second\n');
      assert.ok(executor.healthy());
      assert.notEqual(theGuardian(), first);
      assert.equal(executor.freeSlots(), executor.slots);
    } finally {
      await executor.stop();
    }
  });

  test('a run that it spawned without saying so is found and killed', async () => {
    const executor = await startExecutor();
    try {
      const guardian = theGuardian();
      // It spawns dozens in a row, and is killed among them: some are never heard of.
      const runs = Array.from({ length: executor.slots }, () => runOn(executor, 'sleep 60'));
      await Promise.race(runs.map((run) => run.started));
      process.kill(guardian, 'SIGKILL');
      const results = await Promise.all(runs.map((run) => run.result));
      for (const result of results) assert.equal(result.endedBy, 'guardian-lost');
      const wanted = runs.map((run) => `CRON_RUN_ID=${run.handle.runId}\0`);
      const left = listProcesses().filter(({ pid }) => {
        try {
          const environment = readFileSync(`/proc/${String(pid)}/environ`, 'utf8');
          return wanted.some((entry) => environment.includes(entry));
        } catch {
          return false;
        }
      });
      assert.deepEqual(left, []);
    } finally {
      await executor.stop();
    }
  });

  test('when it is stopped the worker is not healthy, and fences by itself', async () => {
    const executor = await startExecutor();
    try {
      const guarded = runOn(executor, 'sleep 60', { guarded: true });
      const groupId = await guarded.started;
      const guardian = theGuardian();
      process.kill(guardian, 'SIGSTOP');
      executor.setDeadline(now() + 200);
      await waitUntil('not healthy', () => !executor.healthy());
      await waitUntil('the guarded run to die', () => liveMembers(groupId).length === 0);
      process.kill(guardian, 'SIGCONT');
      assert.notEqual((await guarded.result).endedBy, 'guardian-lost');
      await waitUntil('healthy', () => executor.healthy());
      assert.equal(theGuardian(), guardian);
    } finally {
      await executor.stop();
    }
  });

  test('stop() ends what runs, refuses what waits, and leaves nothing', async () => {
    const executor = await startExecutor(2);
    const guardian = theGuardian();
    const stubborn = runOn(executor, "trap '' TERM; echo up; while :; do sleep 0.05; done", {
      killGraceMs: 600_000,
    });
    const polite = runOn(executor, "trap 'exit 3' TERM; echo up; while :; do sleep 0.05; done");
    const waiting = runOn(executor, 'true');
    const groups = await Promise.all([stubborn.started, polite.started]);
    await waitUntil('both up', () => stubborn.pieces.length > 0 && polite.pieces.length > 0);
    const stopped = executor.stop();
    assert.equal(executor.healthy(), false);
    assert.equal(executor.stop(), stopped);
    await stopped;
    assert.equal((await stubborn.result).signal, 'SIGKILL');
    assert.equal((await polite.result).exitCode, 3);
    for (const run of [stubborn, polite]) {
      assert.equal((await run.result).reason, 'the worker is stopping');
    }
    assert.equal((await waiting.result).endedBy, 'refused');
    assert.equal((await runOn(executor, 'true').result).endedBy, 'refused');
    assert.deepEqual(groups.flatMap(liveMembers), []);
    assert.ok(!isAlive(guardian));
    assert.deepEqual(findGuardians(), []);
  });

  test('stop() ends even a guardian that is stopped', async () => {
    const executor = await startExecutor();
    const run = runOn(executor, 'sleep 60');
    const groupId = await run.started;
    process.kill(theGuardian(), 'SIGSTOP');
    await executor.stop();
    assert.equal((await run.result).endedBy, 'guardian-lost');
    assert.deepEqual(liveMembers(groupId), []);
    assert.deepEqual(findGuardians(), []);
  });

  test('words that make no sense end it, and its runs with it', async () => {
    const path = fileURLToPath(new URL('../../worker/guardian/main.js', import.meta.url));
    const child = spawn(process.execPath, [path], { stdio: ['ignore', 'ignore', 'pipe', 'pipe'] });
    const channel = child.stdio[channelDescriptor];
    assert.ok(channel instanceof Socket && child.stderr !== null);
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    let pid = 0;
    const reader = new FrameReader((body, isOwn) => {
      const message = decodeFromGuardian(body, isOwn);
      if (message.type === 'started') pid = message.pid;
    });
    channel.on('data', (chunk: Buffer) => reader.push(chunk));
    channel.on('error', () => undefined);
    channel.write(encodeMessage({ type: 'deadline', deadlineMs: now() + 60_000 }));
    const spec = createSpec("trap '' TERM; sleep 60 & sleep 60");
    channel.write(encodeMessage({ type: 'start', id: 1, startBy: now() + 60_000, spec }));
    await waitUntil('the run', () => pid !== 0 && liveMembers(pid).length >= 2);
    channel.write(Buffer.from([2, 0, 0, 0, 99, 99]));
    await once(child, 'exit');
    assert.equal(child.exitCode, 70);
    assert.match(said, /^guardian: Error: unknown kind of frame: 99/);
    await waitUntil('its run to be gone', () => liveMembers(pid).length === 0);
  });

  test('a guardian that does not come up is one clear error', async () => {
    const broken = join(folder, 'broken.mjs');
    writeFileSync(broken, 'process.exit(3)');
    for (const path of [broken, join(folder, 'missing.js')]) {
      await assert.rejects(startExecutor(1, path), (error) => {
        assert.ok(isCronmeshError(error, 'internal'));
        assert.match(error.message, /^the guardian did not start: exit code/);
        return true;
      });
    }
    assert.deepEqual(findGuardians(), []);
  });
});
