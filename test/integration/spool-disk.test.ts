/**
 * What the spool does when there is no room, by its own bound or the disk's, and when the disk
 * refuses: it says so, takes what matters most, and recovers by itself.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, rm, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { waitFor } from '../support/server-process.ts';
import {
  cleanUp,
  ended,
  numbered,
  output,
  patience,
  started,
  startSpool,
  storeDown,
  temporaryFolder,
} from './spool-support.ts';

const execute = promisify(execFile);

/** A real small disk; undefined, and the test counted as skipped, where none can be mounted. */
async function smallDisk(t: TestContext, size: string): Promise<string | undefined> {
  const folder = join(await temporaryFolder(t), 'disk');
  await mkdir(folder);
  try {
    await execute('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', folder]);
  } catch (error) {
    t.skip(`SKIPPED: no small disk can be mounted here (needs root): ${String(error)}`);
    return undefined;
  }
  cleanUp(t, 'disk', () => execute('umount', ['--lazy', folder]));
  return folder;
}

describe('its own bound', () => {
  it('stops accepting near it, drops output beyond its reserve, keeps ends, and recovers', async (t) => {
    const folder = await temporaryFolder(t);
    const maxBytes = 1024 * 1024;
    const { spool, store, log } = await startSpool(t, folder, { maxBytes });
    store.down = storeDown;
    await spool.append([started('r')]);
    let offset = 0;
    const write = async (): Promise<void> => {
      await spool.append([output('r', offset, Buffer.alloc(10_000, 'x'))]);
      offset += 10_000;
    };
    while (spool.state().accepting) await write();
    const { pendingBytes, reason } = spool.state();
    assert.ok(pendingBytes > 0.9 * maxBytes && pendingBytes < maxBytes);
    assert.match(reason ?? '', /nearly full: 0\.9 MiB of 1\.0 MiB/);
    for (let piece = 0; piece < 100; piece += 1) await write();
    const limited = spool.state().pendingBytes;
    assert.ok(limited > maxBytes && limited < 1.15 * maxBytes, `${String(limited)} bytes`);
    await spool.append(Array.from({ length: 500 }, (_, number) => numbered(number)));
    await spool.hold({ id: 'h', records: [ended('r')], completion: 0 });
    assert.equal(log.loud('output of running runs is dropped').length, 1);

    store.down = undefined;
    await spool.release('h');
    await spool.drained(patience());
    assert.equal(spool.state().accepting, true);
    const outputs = store.records.filter((record) => record.kind === 'output');
    assert.match(outputs.at(-1)?.data.toString() ?? '', /^\[output dropped: spool full\]\n$/);
    assert.ok(outputs.slice(0, -1).every(({ data }) => data.length === 10_000));
    const last = store.records.at(-1);
    assert.ok(last?.kind === 'run-ended' && last.end.outputTruncated);
    assert.equal(store.records.filter((record) => record.kind === 'not-run').length, 500);
    await spool.append([output('next', 0, Buffer.from('kept'))]);
    assert.equal(log.loud('has room again').length, 1);
    await spool.drained(patience());
    assert.equal(store.keys.at(-1), 'output next 0');
  });

  it('bounds what waits in memory for the disk', async (t) => {
    const folder = await temporaryFolder(t);
    const { spool, store } = await startSpool(t, folder);
    const piece = Buffer.alloc(1024 * 1024, 'y');
    // None awaited: 100 MiB at once, of which no more than about 32 MiB may wait.
    await Promise.all(
      Array.from({ length: 100 }, (_, index) =>
        spool.append([output(`r${String(index)}`, 0, piece)]),
      ),
    );
    await spool.drained(patience());
    const kept = store.records.filter((record) => 'data' in record && record.data.length > 1_000);
    assert.ok(kept.length >= 32 && kept.length <= 34, `${String(kept.length)} kept`);
    assert.equal(store.records.length, 100);
  });
});

describe('a full disk', () => {
  it('refuses with spool-unavailable, drains what is there, and recovers by itself', async (t) => {
    const folder = await smallDisk(t, '4m');
    if (folder === undefined) return;
    const { spool, store, log } = await startSpool(t, folder);
    store.down = storeDown;
    assert.equal(spool.state().accepting, true);
    const acknowledged: number[] = [];
    let refused: unknown;
    for (let number = 0; refused === undefined; number += 1) {
      try {
        await spool.append([output('r', number, Buffer.alloc(50_000))]);
        acknowledged.push(number);
      } catch (error) {
        refused = error;
      }
    }
    assert.ok(acknowledged.length > 60, `${String(acknowledged.length)} pieces fit`);
    assert.equal((refused as { code?: unknown }).code, 'spool-unavailable');
    assert.equal(spool.state().accepting, false);
    assert.match(spool.state().reason ?? '', /ENOSPC/);
    assert.equal(log.loud('cannot be written').length, 1);

    store.down = undefined;
    await spool.drained(patience());
    assert.deepEqual(
      store.records.map((record) => (record.kind === 'output' ? record.offset : -1)),
      acknowledged,
    );
    await waitFor(() => spool.state().accepting, {
      timeoutMs: 20_000,
      describe: () => spool.state().reason ?? '',
    });
    await spool.append([numbered(1)]);
    await spool.drained(patience());
    assert.equal(store.keys.at(-1), '1');
  });

  it('saves the ends of runs when a write with output does not fit', async (t) => {
    const folder = await smallDisk(t, '1m');
    if (folder === undefined) return;
    const { spool, store } = await startSpool(t, folder);
    await spool.append([numbered(1)]);
    const large = spool.append([
      output('r', 0, Buffer.alloc(900_000)),
      output('r', 900_000, Buffer.alloc(900_000)),
    ]);
    const end = spool.hold({ id: 'h', records: [ended('r')], completion: 0 });
    await assert.rejects(large, { code: 'spool-unavailable' });
    await end;
    await spool.release('h');
    await spool.drained(patience());
    assert.deepEqual(store.keys, ['1', 'run-ended r']);
    assert.equal(spool.state().accepting, true);
  });

  it('notices when others fill the disk, and gives its own finished space back', async (t) => {
    const folder = await smallDisk(t, '8m');
    if (folder === undefined) return;
    const { spool } = await startSpool(t, folder);
    const filler = join(folder, 'filler');
    await writeFile(filler, Buffer.alloc(8 * 1024 * 1024 - 300_000));
    await waitFor(() => !spool.state().accepting, {
      timeoutMs: 20_000,
      describe: () => 'a nearly full disk goes unnoticed',
    });
    assert.match(spool.state().reason ?? '', /only 0\.\d MiB free/);
    await rm(filler);
    await waitFor(() => spool.state().accepting, {
      timeoutMs: 20_000,
      describe: () => spool.state().reason ?? '',
    });
    // All taken, but the file is not full: its space must come back without another write.
    for (let piece = 0; piece < 70; piece += 1) {
      await spool.append([output('r', piece, Buffer.alloc(100_000))]);
    }
    await spool.drained(patience());
    await waitFor(
      async () => {
        const { bavail, bsize } = await statfs(folder);
        return bavail * bsize > 7 * 1024 * 1024;
      },
      { timeoutMs: 20_000, describe: () => 'finished segments keep the disk' },
    );
    assert.equal(spool.state().accepting, true);
  });
});

describe('a disk that turns read-only', () => {
  it('refuses, still drains, says so at a restart, and recovers', async (t) => {
    const folder = await smallDisk(t, '4m');
    if (folder === undefined) return;
    const first = await startSpool(t, folder);
    first.store.down = storeDown;
    await first.spool.append([numbered(1)]);
    // The open segment would keep the disk busy for writing.
    await first.spool.stop();
    await execute('mount', ['-o', 'remount,ro', folder]);

    const { spool, store } = await startSpool(t, folder);
    assert.equal(spool.state().accepting, false);
    assert.match(spool.state().reason ?? '', /EROFS/);
    await assert.rejects(spool.append([numbered(2)]), { code: 'spool-unavailable' });
    await assert.rejects(spool.hold({ id: 'h', records: [], completion: 0 }), {
      code: 'spool-unavailable',
    });
    await spool.drained(patience());
    assert.deepEqual(store.keys, ['1']);
    await execute('mount', ['-o', 'remount,rw', folder]);
    await waitFor(() => spool.state().accepting, {
      timeoutMs: 20_000,
      describe: () => spool.state().reason ?? '',
    });
    await spool.append([numbered(2)]);
    await spool.drained(patience());
    assert.deepEqual(store.keys, ['1', '2']);
  });

  it('refuses to start where a directory cannot be', async (t) => {
    const folder = await temporaryFolder(t);
    await writeFile(join(folder, 'file'), '');
    await assert.rejects(startSpool(t, join(folder, 'file', 'spool')), {
      code: 'config-invalid',
      message: /spool directory .*file\/spool cannot be used: .*ENOTDIR/,
    });
  });
});
