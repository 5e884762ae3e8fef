/**
 * Figures that must hold whatever the machine: memory does not grow with what is pending, and
 * group commit earns its keep against one sync per record in the same run.
 */
import assert from 'node:assert/strict';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { encodeRecord } from '../../worker/spool/entry-codec.ts';
import { SpoolProcess } from './spool-process.ts';
import { cleanUp, numbered, patience, startSpool, temporaryFolder } from './spool-support.ts';

it('holds 200,000 pending records in bounded memory, and replays them', async (t) => {
  const folder = await temporaryFolder(t);
  const program = fileURLToPath(new URL('./spool-load-process.js', import.meta.url));
  const child = new SpoolProcess(program, { directory: folder, records: 200_000 });
  cleanUp(t, 'process', () => child.kill());
  const [, before, pending, after] = (await child.line((line) => line.startsWith('figures')))
    .split(' ')
    .map(Number);
  const grownMebibytes = ((after ?? 0) - (before ?? 0)) / 1024 / 1024;
  assert.equal(pending, 200_000);
  // 200,000 payloads of 250 bytes alone would be 48 MiB, as objects several times that.
  assert.ok(grownMebibytes < 24, `${grownMebibytes.toFixed(1)} MiB grown`);
  await child.kill();

  const begun = performance.now();
  const { spool, store } = await startSpool(t, folder, { batchRecords: 5_000 });
  const openedMs = performance.now() - begun;
  assert.equal(spool.state().pendingRecords, 200_000);
  await spool.drained(patience());
  const drainedMs = performance.now() - begun - openedMs;
  assert.equal(store.records.length, 200_000);
  t.diagnostic(
    `memory grew by ${grownMebibytes.toFixed(1)} MiB with 200,000 pending; ` +
      `replayed in ${openedMs.toFixed(0)} ms, drained in ${drainedMs.toFixed(0)} ms`,
  );
});

it('commits many records a second by sharing the sync', async (t) => {
  const folder = await temporaryFolder(t);
  const record = numbered(1);

  const single = 300;
  const handle = await open(join(folder, 'baseline'), 'a');
  const frame = encodeRecord(record);
  const singleBegun = performance.now();
  for (let count = 0; count < single; count += 1) {
    await handle.write(frame);
    await handle.datasync();
  }
  const singleRate = (single / (performance.now() - singleBegun)) * 1_000;
  await handle.close();

  const { spool } = await startSpool(t, join(folder, 'spool'));
  const grouped = 40_000;
  const writers = 200;
  const groupedBegun = performance.now();
  await Promise.all(
    Array.from({ length: writers }, async () => {
      for (let count = 0; count < grouped / writers; count += 1) await spool.append([record]);
    }),
  );
  const groupedRate = (grouped / (performance.now() - groupedBegun)) * 1_000;
  t.diagnostic(
    `${groupedRate.toFixed(0)} records/s by ${String(writers)} writers with group commit, ` +
      `${singleRate.toFixed(0)} records/s with one fdatasync each: ` +
      `${(groupedRate / singleRate).toFixed(1)} times as many`,
  );
  assert.ok(groupedRate > singleRate);
  await spool.drained(patience());
});
