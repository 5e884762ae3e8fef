/**
 * What the spool said is on disk is there after SIGKILL: a process appends, holds and releases as
 * fast as it can and is killed at random moments, many times over the same directory; then all it
 * had reported must come out, in order, and counted once by key.
 */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { SpoolProcess } from './spool-process.ts';
import { cleanUp, keyOf, patience, startSpool, temporaryFolder } from './spool-support.ts';

const rounds = 30;
const writer = fileURLToPath(new URL('./spool-writer-process.js', import.meta.url));

test(`nothing acknowledged is lost over ${String(rounds)} kills`, async (t) => {
  const folder = await temporaryFolder(t);
  const directory = join(folder, 'spool');
  const takenFile = join(folder, 'taken');
  const reported = { appended: new Set<number>(), held: new Set<number>() };
  const releasing = new Set<number>();
  const released = new Set<number>();
  let firstNumber = 1;
  for (let round = 0; round < rounds; round += 1) {
    const store = (['up', 'flaky', 'down'] as const)[round % 3];
    const child = new SpoolProcess(writer, { directory, takenFile, firstNumber, store });
    cleanUp(t, 'process', () => child.kill());
    await child.line((line) => line.startsWith('appended'));
    await new Promise((resolve) => {
      setTimeout(resolve, Math.random() * (round % 5 === 0 ? 500 : 120));
    });
    const lines = await child.kill();
    for (const line of lines) {
      const [word, value] = line.split(' ');
      const number = Number(value);
      if (word === 'appended') reported.appended.add(number);
      if (word === 'held') reported.held.add(number);
      if (word === 'releasing') releasing.add(number);
      if (word === 'released') released.add(number);
    }
    // Leaves a gap: what was on its way when it died may be on disk all the same.
    firstNumber = Math.max(...reported.appended) + 100_000;
  }

  const { spool, store } = await startSpool(t, directory);
  await spool.drained(patience());
  const taken = (await readFile(takenFile, 'utf8')).trimEnd().split('\n');
  const arrived = [...taken, ...store.records.map(keyOf)].map(Number);
  const unique = new Set(arrived);
  const firstArrivals = [...unique].filter((number) => number < 1_000_000_000);

  const lost = [...reported.appended].filter((number) => !unique.has(number));
  assert.deepEqual(lost, [], 'acknowledged records that never arrived');
  assert.deepEqual(
    firstArrivals,
    firstArrivals.toSorted((a, b) => a - b),
    'records arrived out of order',
  );
  assert.deepEqual(
    [...released].filter((number) => !unique.has(number)),
    [],
    'released entries that never arrived',
  );

  const stillHeld = new Map(spool.held().map((entry) => [entry.id, entry]));
  for (const number of reported.held) {
    const entry = stillHeld.get(`held-${String(number)}`);
    if (released.has(number)) assert.equal(entry, undefined, `${String(number)} was released`);
    if (releasing.has(number)) continue;
    assert.deepEqual(entry?.completion, { number }, `${String(number)} is not held any more`);
    assert.deepEqual(entry.records.map(keyOf), [String(number)]);
    assert.equal(unique.has(number), false, `${String(number)} went to the store while held`);
  }
  t.diagnostic(
    `${String(reported.appended.size)} records acknowledged, ${String(arrived.length)} arrivals, ` +
      `${String(arrived.length - unique.size)} of them again; ` +
      `${String(reported.held.size)} held, ${String(released.size)} released`,
  );
  assert.ok(reported.held.size > 0 && released.size > 0, 'the rounds were too short to say much');

  for (const id of stillHeld.keys()) await spool.release(id);
  await spool.drained(patience());
  const afterRelease = new Set([...unique, ...store.records.map(keyOf).map(Number)]);
  assert.deepEqual(
    [...reported.held].filter((number) => !afterRelease.has(number)),
    [],
  );
  assert.equal(spool.state().pendingRecords, 0);
});
