/** Output: order, offsets, the cap, and memory that does not grow with what a run writes. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Executor, OutputPiece } from '../../worker/executor/port.ts';
import {
  isAlive,
  readMemoryMib,
  resetPeakMemory,
  runOn,
  startExecutor,
  theGuardian,
  waitUntil,
} from '../support/executor-rig.ts';

/** Above what the process held when the flood began, of which the worker side keeps nothing. */
const memoryBoundsMib = { guardian: 16, worker: 48 };

describe('output', () => {
  let executor: Executor;
  let folder: string;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'cronmesh-executor-'));
    executor = await startExecutor();
  });
  after(async () => {
    await executor.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  function assertContiguous(pieces: readonly OutputPiece[]): number {
    let offset = 0;
    for (const piece of pieces) {
      assert.equal(piece.offset, offset);
      assert.ok(piece.data.length > 0);
      offset += piece.data.length;
    }
    return offset;
  }

  test('both streams come in the order they were written, under one offset', async () => {
    const run = runOn(
      executor,
      'echo one; sleep 0.2; echo two >&2; sleep 0.2; echo three; echo four >&2',
    );
    await run.result;
    assertContiguous(run.pieces);
    const [one, two, ...rest] = run.pieces;
    assert.equal(`${String(one?.stream)} ${String(one?.data)}`, 'stdout one\n');
    assert.equal(`${String(two?.stream)} ${String(two?.data)}`, 'stderr two\n');
    assert.deepEqual(rest.map((piece) => `${piece.stream} ${String(piece.data)}`).toSorted(), [
      'stderr four\n',
      'stdout three\n',
    ]);
    assert.ok((one?.at ?? 0) < (two?.at ?? 0));
  });

  test('output arrives while the run goes on', async () => {
    const run = runOn(executor, 'echo early; sleep 60');
    await waitUntil('the first line', () => run.pieces.length === 1);
    assert.equal(String(run.pieces[0]?.data), 'early\n');
    run.handle.kill('seen', 0);
    await run.result;
  });

  test('many small writes are joined, and bytes are left as they are', async () => {
    const bytes = randomBytes(300_000);
    const file = join(folder, 'bytes');
    writeFileSync(file, bytes);
    const copied = runOn(executor, `cat ${file}`);
    assert.equal((await copied.result).outputBytes, bytes.length);
    assert.ok(Buffer.concat(copied.pieces.map((piece) => piece.data)).equals(bytes));

    const lines = runOn(executor, 'i=0; while [ $i -lt 5000 ]; do echo line $i; i=$((i+1)); done');
    const text = await lines.text();
    assert.equal(text.split('\n').length, 5001);
    assert.ok(lines.pieces.length < 100, `${String(lines.pieces.length)} pieces`);
  });

  test('beyond the cap the middle is counted, not kept, and the run goes on', async () => {
    const run = runOn(executor, 'head -c 70000 /dev/zero; head -c 70000 /dev/zero >&2; exit 4', {
      maxOutputBytes: 100_000,
    });
    const result = await run.result;
    assert.equal(result.exitCode, 4);
    assert.equal(result.outputBytes, 140_000);
    assert.equal(result.outputTruncated, true);
    const marker =
      '\n[cronmesh: 40000 bytes of output are missing here (100000 of a run are kept)]\n';
    assert.equal(assertContiguous(run.pieces), 100_000 + marker.length);
    const text = await run.text();
    assert.equal(text.indexOf(marker), 75_000);
    assert.deepEqual(
      run.pieces.filter(({ offset }) => offset > 75_000).map(({ stream }) => stream),
      ['stderr'],
      'the end of it',
    );

    const exact = runOn(executor, 'head -c 1000 /dev/zero', { maxOutputBytes: 1000 });
    assert.equal((await exact.result).outputTruncated, false);
    const none = runOn(executor, 'echo x', { maxOutputBytes: 0 });
    assert.equal((await none.result).outputTruncated, true);
    assert.equal(none.pieces.length, 0);
  });

  const floods = [
    { name: '100 MB', command: 'head -c 100000000 /dev/zero', seen: 100_000_000, cap: 1_000_000 },
    {
      name: 'one line of 50 MB, kept whole',
      command: 'head -c 50000000 /dev/zero | tr "\\0" x',
      seen: 50_000_000,
      cap: 64_000_000,
    },
  ];
  for (const flood of floods) {
    test(`${flood.name}: memory stays as it was`, async (context) => {
      const guardian = theGuardian();
      await runOn(executor, 'head -c 3000000 /dev/zero').result;
      for (const pid of [guardian, process.pid]) resetPeakMemory(pid, writeFileSync);
      const heldMib = {
        guardian: readMemoryMib(guardian, 'VmRSS'),
        worker: readMemoryMib(process.pid, 'VmRSS'),
      };
      let keptBytes = 0;
      const handle = runOn(executor, flood.command, { maxOutputBytes: flood.cap });
      // Only counted here: what the listener keeps is its own.
      handle.pieces.push = (piece: OutputPiece): number => {
        assert.equal(piece.offset, keptBytes);
        keptBytes += piece.data.length;
        return 0;
      };
      const result = await handle.result;
      const grown = {
        guardian: readMemoryMib(guardian, 'VmHWM') - heldMib.guardian,
        worker: readMemoryMib(process.pid, 'VmHWM') - heldMib.worker,
      };
      context.diagnostic(
        `peak above start: guardian ${grown.guardian.toFixed(1)} MiB, ` +
          `worker ${grown.worker.toFixed(1)} MiB; the guardian holds ` +
          `${readMemoryMib(guardian, 'VmRSS').toFixed(1)} MiB`,
      );
      assert.equal(result.outputBytes, flood.seen);
      const most = Math.min(flood.seen, flood.cap);
      const markerBytes = keptBytes - most;
      assert.ok(
        flood.seen > flood.cap ? markerBytes > 0 && markerBytes < 200 : markerBytes === 0,
        `${keptBytes} bytes kept`,
      );
      assert.ok(grown.guardian < memoryBoundsMib.guardian, `${grown.guardian.toFixed(1)} MiB`);
      assert.ok(grown.worker < memoryBoundsMib.worker, `${grown.worker.toFixed(1)} MiB`);
    });
  }

  test('a daemon that holds the output does not hold the run', async () => {
    const pidFile = join(folder, 'daemon');
    const run = runOn(executor, `sleep 60 & echo $! > ${pidFile}; echo started`);
    const startedMs = performance.now();
    const result = await run.result;
    assert.ok(performance.now() - startedMs < 5_000);
    assert.equal(result.endedBy, 'itself');
    assert.equal(result.exitCode, 0);
    assert.equal(await run.text(), 'started\n');
    // It was the job's wish that it stays.
    const members = await runOn(executor, `cat ${pidFile}`).text();
    assert.ok(isAlive(Number(members)));
    process.kill(Number(members), 'SIGKILL');
  });

  test('a daemon that keeps writing does not hold the run either', async () => {
    const run = runOn(executor, 'yes & echo $! >&2');
    const result = await run.result;
    assert.equal(result.exitCode, 0);
    const daemon = Number(run.pieces.find((piece) => piece.stream === 'stderr')?.data);
    // Nobody reads it any more.
    await waitUntil('the writer is told so', () => !isAlive(daemon));
    assert.equal(await runOn(executor, 'echo mine').text(), 'mine\n');
  });

  test('a run that closes its output early goes on', async () => {
    const result = await runOn(executor, 'exec >&- 2>&-; sleep 0.3; exit 5').result;
    assert.equal(result.exitCode, 5);
    assert.ok(result.endedAt - (result.startedAt ?? 0) >= 250);
  });
});
