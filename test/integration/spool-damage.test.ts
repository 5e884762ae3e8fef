/**
 * What a crash or a bad disk can leave in the directory: a torn end, damage in the middle, an
 * unreadable position file, files of another version. The rest is replayed, and loss is said.
 */
import assert from 'node:assert/strict';
import { appendFile, open, readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { it, type TestContext } from 'node:test';
import { waitFor } from '../support/server-process.ts';
import {
  numbered,
  output,
  patience,
  startSpool,
  storeDown,
  temporaryFolder,
  type SpoolUnderTest,
} from './spool-support.ts';

async function segments(folder: string): Promise<string[]> {
  const names = await readdir(folder);
  return names
    .filter((name) => name.endsWith('.log'))
    .toSorted()
    .map((name) => join(folder, name));
}

/** A stopped spool that holds `count` numbered records of which the store took none. */
async function leftBehind(t: TestContext, folder: string, count: number): Promise<void> {
  const { spool, store } = await startSpool(t, folder, { maxBytes: 1024 * 1024, stopDrainMs: 1 });
  store.down = storeDown;
  for (let number = 0; number < count; number += 1) await spool.append([numbered(number)]);
  await spool.stop();
}

async function flipByte(path: string, offset: number): Promise<void> {
  const handle = await open(path, 'r+');
  const byte = Buffer.alloc(1);
  await handle.read(byte, 0, 1, offset);
  byte[0] = (byte[0] ?? 0) ^ 0xff;
  await handle.write(byte, 0, 1, offset);
  await handle.close();
}

async function drainedKeys({ spool, store }: SpoolUnderTest): Promise<readonly string[]> {
  await spool.drained(patience());
  return store.keys;
}

function numbersUpTo(count: number): string[] {
  return Array.from({ length: count }, (_, number) => String(number));
}

it('cuts a torn last write away and replays the rest', async (t) => {
  for (const tear of ['half a frame', 'garbage', 'zeros'] as const) {
    const folder = await temporaryFolder(t);
    await leftBehind(t, folder, 20);
    const [path = ''] = await segments(folder);
    const { size } = await stat(path);
    if (tear === 'half a frame') await truncate(path, size - 7);
    if (tear === 'garbage') await appendFile(path, Buffer.from('no frame at all'));
    if (tear === 'zeros') await appendFile(path, Buffer.alloc(4096));
    const next = await startSpool(t, folder);
    const expected = tear === 'half a frame' ? 19 : 20;
    assert.deepEqual(await drainedKeys(next), numbersUpTo(expected), tear);
    assert.equal(next.log.loud('torn end').length, 1, tear);
    await next.spool.stop();
  }
});

it('sets the rest of a segment aside that is damaged in the middle; later ones replay', async (t) => {
  const folder = await temporaryFolder(t);
  await leftBehind(t, folder, 1_000);
  const paths = await segments(folder);
  assert.ok(paths.length >= 3);
  const [, damaged = ''] = paths;
  const { size } = await stat(damaged);
  await flipByte(damaged, Math.floor(size / 2));
  const original = await readFile(damaged);
  const next = await startSpool(t, folder);
  const keys = (await drainedKeys(next)).map(Number);
  assert.deepEqual(
    keys,
    keys.toSorted((a, b) => a - b),
  );
  assert.equal(keys[0], 0);
  assert.equal(keys.at(-1), 999);
  const missing = 1_000 - keys.length;
  assert.ok(missing > 50 && missing < 400, `${String(missing)} are missing`);
  assert.equal(next.log.loud('SPOOL SEGMENT DAMAGED').length, 1);
  await waitFor(async () => (await readdir(folder)).some((name) => name.endsWith('.corrupt')), {
    timeoutMs: 10_000,
    describe: () => 'the damaged file is not set aside',
  });
  assert.deepEqual(await readFile(`${damaged}.corrupt`), original);
  await next.spool.stop();
  const last = await startSpool(t, folder);
  assert.deepEqual(await drainedKeys(last), [], 'it is not read again');
});

it('goes on behind damage that appears while it runs', async (t) => {
  const folder = await temporaryFolder(t);
  const { spool, store, log } = await startSpool(t, folder);
  store.down = storeDown;
  // More than memory keeps, so that the files are read.
  const pieces = Array.from({ length: 500 }, (_, index) =>
    output('r', index, Buffer.alloc(65_536, index)),
  );
  for (const piece of pieces) await spool.append([piece]);
  const paths = await segments(folder);
  assert.ok(paths.length >= 4);
  await flipByte(paths[2] ?? '', 4 * 1024 * 1024);
  // The one that is being written, too.
  await flipByte(paths.at(-1) ?? '', 100_000);
  store.down = undefined;
  await spool.drained(patience());
  await spool.append([numbered(1)]);
  await spool.drained(patience());
  assert.equal(log.loud('cannot be read back').length, 2);
  assert.equal(store.keys.at(-1), '1');
  assert.ok(store.records.length > 300 && store.records.length < 500);
  assert.equal(spool.state().pendingRecords, 0);
});

it('sends again rather than skip when the position is unreadable', async (t) => {
  for (const text of ['', '{"segment":99,"offset":8,"check":1}', 'null']) {
    const folder = await temporaryFolder(t);
    await leftBehind(t, folder, 10);
    await writeFile(join(folder, 'acknowledged.json'), text);
    assert.deepEqual(await drainedKeys(await startSpool(t, folder)), numbersUpTo(10), text);
  }
});

it('does not send again what was acknowledged', async (t) => {
  const folder = await temporaryFolder(t);
  const first = await startSpool(t, folder);
  await first.spool.append([numbered(0), numbered(1)]);
  await first.spool.drained(patience());
  first.store.down = storeDown;
  await first.spool.append([numbered(2)]);
  await first.spool.stop();
  assert.deepEqual(await drainedKeys(await startSpool(t, folder)), ['2']);
});

it('never takes new records for old ones after everything was taken and removed', async (t) => {
  const folder = await temporaryFolder(t);
  const first = await startSpool(t, folder);
  await first.spool.append(Array.from({ length: 100 }, (_, number) => numbered(number)));
  await first.spool.stop();
  assert.deepEqual(await segments(folder), []);
  await leftBehind(t, folder, 10);
  assert.deepEqual(await drainedKeys(await startSpool(t, folder)), numbersUpTo(10));
});

it('refuses a directory of a newer format and leaves it as it is', async (t) => {
  const folder = await temporaryFolder(t);
  const path = join(folder, 'segment-0000000000000001.log');
  const newer = Buffer.concat([Buffer.from('CMSPOOL'), Buffer.from([9]), Buffer.alloc(50, 7)]);
  await writeFile(path, newer);
  await assert.rejects(startSpool(t, folder), {
    code: 'config-invalid',
    message: /newer version of cronmesh \(format 9; this one knows 1\)/,
  });
  assert.deepEqual(await readFile(path), newer);
});

it('replays a segment whose header alone is damaged', async (t) => {
  const folder = await temporaryFolder(t);
  await leftBehind(t, folder, 10);
  const [path = ''] = await segments(folder);
  await flipByte(path, 7);
  assert.deepEqual(await drainedKeys(await startSpool(t, folder)), numbersUpTo(10));
});

it('sets a file aside that is no segment at all', async (t) => {
  const folder = await temporaryFolder(t);
  const path = join(folder, 'segment-0000000000000001.log');
  await writeFile(path, 'somebody put this here');
  const { spool, log } = await startSpool(t, folder);
  assert.equal(log.loud('SPOOL SEGMENT DAMAGED').length, 1);
  assert.equal(await readFile(`${path}.corrupt`, 'utf8'), 'somebody put this here');
  assert.equal(spool.state().accepting, true);
});
