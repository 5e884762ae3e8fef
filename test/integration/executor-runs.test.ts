/** What a run gets and what becomes of it: environment, folder, exit, signal, errors, slots. */
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Executor } from '../../worker/executor/port.ts';
import { now, runOn, startExecutor, waitUntil } from '../support/executor-rig.ts';

describe('runs', () => {
  let executor: Executor;
  let folder: string;
  before(async () => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), 'cronmesh-executor-')));
    executor = await startExecutor();
  });
  after(async () => {
    await executor.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  test('a run has its environment and nothing beside it', async () => {
    const environment = { ALPHA: 'one two', BETA: 'line\nline', EMPTY: '' };
    const run = runOn(executor, 'exec /usr/bin/env -0', { environment });
    const entries = (await run.text()).split('\0').filter((entry) => entry !== '');
    // The shell itself adds PWD.
    const own = entries.filter((entry) => !entry.startsWith('PWD='));
    assert.deepEqual(own.toSorted(), ['ALPHA=one two', 'BETA=line\nline', 'EMPTY=']);
  });

  test('a run starts in its folder, as leader of its own group and session', async () => {
    const run = runOn(executor, 'pwd; cut -d" " -f1,5,6 /proc/$$/stat; echo $$', {
      workingDirectory: folder,
    });
    const [directory, ids, shellPid] = (await run.text()).split('\n');
    assert.equal(directory, folder);
    assert.equal(ids, `${String(shellPid)} ${String(shellPid)} ${String(shellPid)}`);
    assert.equal(Number(shellPid), await run.started);
  });

  test('a run has three descriptors, and can open them again by name', async () => {
    const listed = await runOn(executor, 'ls /proc/self/fd | wc -l; cat /dev/stdin').text();
    // The fourth is the listing itself.
    assert.equal(listed.trim(), '4');
    const named = runOn(executor, 'echo to-out > /dev/stdout; echo to-err > /dev/stderr');
    assert.equal((await named.result).exitCode, 0);
    assert.deepEqual(
      named.pieces.map((piece) => `${piece.stream}:${piece.data.toString()}`).toSorted(),
      ['stderr:to-err\n', 'stdout:to-out\n'],
    );
  });

  test('exit codes and signals are told apart', async () => {
    const exit = await runOn(executor, 'exit 7').result;
    assert.equal(exit.endedBy, 'itself');
    assert.equal(exit.exitCode, 7);
    assert.equal(exit.signal, undefined);
    assert.equal(exit.reason, undefined);
    assert.ok((exit.startedAt ?? Infinity) <= exit.endedAt);
    const signal = await runOn(executor, 'kill -SEGV $$').result;
    assert.equal(signal.endedBy, 'itself');
    assert.equal(signal.exitCode, undefined);
    assert.equal(signal.signal, 'SIGSEGV');
  });

  test('what cannot be started says what is wrong', async () => {
    const plain = join(folder, 'plain-file');
    writeFileSync(plain, '');
    const badInterpreter = join(folder, 'bad-interpreter');
    writeFileSync(badInterpreter, '#!/no/such/interpreter\n');
    chmodSync(badInterpreter, 0o755);
    const cases: [Parameters<typeof runOn>[2], string][] = [
      [{ workingDirectory: '/no/such/place' }, 'working directory /no/such/place does not exist'],
      [{ workingDirectory: plain }, `working directory ${plain} is not a directory`],
      [
        { workingDirectory: `${plain}/x` },
        `working directory ${plain}/x cannot be entered (ENOTDIR)`,
      ],
      [{ shell: '/no/such/sh' }, 'shell /no/such/sh does not exist'],
      [{ shell: folder }, `shell ${folder} is a directory`],
      [{ shell: plain }, `shell ${plain} may not be executed (EACCES)`],
      [
        { shell: badInterpreter },
        `the interpreter that shell ${badInterpreter} names does not exist`,
      ],
      [
        { environment: { HUGE: 'x'.repeat(200_000) } },
        'the command and its environment are too long for the system (E2BIG)',
      ],
    ];
    for (const [overrides, reason] of cases) {
      const result = await runOn(executor, 'true', overrides).result;
      assert.equal(result.endedBy, 'spawn-error');
      assert.equal(result.reason, reason);
      assert.equal(result.startedAt, undefined);
    }
    const nul = await runOn(executor, 'echo a\0b').result;
    assert.equal(nul.endedBy, 'spawn-error');
    assert.match(nul.reason ?? '', /null bytes/);
    assert.equal(executor.freeSlots(), executor.slots);
  });

  test('nothing starts after its startBy, without a deadline, or after the deadline', async () => {
    const late = await runOn(executor, 'true', {}, now() - 1).result;
    assert.equal(late.endedBy, 'refused');
    assert.match(late.reason ?? '', /^too late to start/);
    assert.equal(late.startedAt, undefined);
    for (const deadline of [0, now() - 1, Number.NaN]) {
      executor.setDeadline(deadline);
      const refused = await runOn(executor, 'true').result;
      assert.equal(refused.endedBy, 'refused');
      assert.equal(refused.reason, 'the session deadline has passed');
    }
    executor.setDeadline(Infinity);
    assert.equal((await runOn(executor, 'true', {}, Infinity).result).endedBy, 'itself');
  });

  test('as many run at a time as there are slots, and the rest wait their turn or are refused', async () => {
    const gate = join(folder, 'gate');
    const command = `while [ ! -e ${gate} ]; do sleep 0.02; done`;
    const first = Array.from({ length: executor.slots }, () => runOn(executor, command));
    assert.equal(executor.freeSlots(), 0);
    await Promise.all(first.map((run) => run.started));
    assert.equal(executor.running(), executor.slots);

    const waiting = Array.from({ length: 3 }, () => runOn(executor, 'true'));
    const impatient = runOn(executor, 'true', {}, now() + 50);
    const killed = runOn(executor, 'true');
    killed.handle.kill('not wanted any more');
    assert.equal(executor.freeSlots(), 0);
    const refused = await impatient.result;
    assert.equal(refused.endedBy, 'refused');
    assert.equal(refused.reason, 'no free slot in time');
    const neverRan = await killed.result;
    assert.equal(neverRan.endedBy, 'kill');
    assert.equal(neverRan.reason, 'not wanted any more');
    assert.equal(neverRan.startedAt, undefined);
    assert.equal(executor.running(), executor.slots);

    writeFileSync(gate, '');
    for (const run of [...first, ...waiting]) {
      assert.equal((await run.result).endedBy, 'itself');
    }
    assert.equal(executor.freeSlots(), executor.slots);
    assert.equal(executor.running(), 0);
  });

  test('a listener that throws harms nobody', async () => {
    const handle = executor.run(
      {
        runId: 'thrower',
        job: 'test',
        shell: '/bin/sh',
        command: 'echo x',
        workingDirectory: folder,
        environment: {},
        timeoutMs: 5_000,
        killGraceMs: 100,
        maxOutputBytes: 100,
        guarded: false,
      },
      {
        onStarted: () => {
          throw new Error('onStarted');
        },
        onOutput: () => {
          throw new Error('onOutput');
        },
      },
      now() + 5_000,
    );
    assert.equal((await handle.result).exitCode, 0);
    await waitUntil('still healthy', () => executor.healthy());
  });
});
