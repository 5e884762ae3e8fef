/**
 * How spooled history reaches the store: in order, in batches, for ever while the store is down,
 * around records that the store refuses; and how held entries wait for their release.
 */
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { HistoryRecord } from '../../shared/history/records.ts';
import { waitFor } from '../support/server-process.ts';
import {
  ended,
  keyOf,
  numbered,
  output,
  patience,
  started,
  startSpool,
  storeDown,
  temporaryFolder,
} from './spool-support.ts';

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index);
}

describe('drain', () => {
  it('keeps all while the store is down and sends it in order when it is back', async (t) => {
    const folder = await temporaryFolder(t);
    const { spool, store, log } = await startSpool(t, folder);
    store.down = storeDown;
    // Far more than is kept in memory, so that most is read back from several files.
    const pieces = range(0, 300).map((index) =>
      output('r', index * 65_536, Buffer.alloc(65_536, index)),
    );
    for (const piece of pieces) await spool.append([piece]);
    await waitFor(() => spool.state().drainError, {
      timeoutMs: 10_000,
      describe: () => 'no drain error shows',
    });
    assert.equal(spool.state().drainError, 'connection refused');
    assert.equal(spool.state().accepting, true);
    assert.equal(spool.state().pendingRecords, 300);
    assert.ok((await readdir(folder)).filter((name) => name.endsWith('.log')).length > 2);
    store.down = undefined;
    await spool.drained(patience());
    assert.deepEqual(store.records, pieces);
    assert.equal(spool.state().drainError, undefined);
    assert.ok(spool.state().lastDrainedAt !== undefined);
    assert.equal(spool.state().pendingBytes, 0);
    assert.ok(log.loud('does not take history').length > 0);
    await waitFor(
      async () => (await readdir(folder)).filter((name) => name.endsWith('.log')).length <= 1,
      { timeoutMs: 10_000, describe: () => 'finished segments are still there' },
    );
  });

  it('keeps order while writers outrun a slow store', async (t) => {
    const folder = await temporaryFolder(t);
    const { spool, store } = await startSpool(t, folder, { batchBytes: 300_000 });
    const taken: number[] = [];
    store.ingest = async (records) => {
      await new Promise((resolve) => {
        setTimeout(resolve, Math.random() * 20);
      });
      for (const record of records) if (record.kind === 'output') taken.push(record.offset);
    };
    // Three times what memory keeps, in bursts, so that reading changes between memory and files.
    for (let number = 0; number < 1_200;) {
      const burst = range(number, number + 1 + Math.floor(Math.random() * 40));
      const size = Math.random() < 0.1 ? 300_000 : 12_000;
      await Promise.all(
        burst.map((index) => spool.append([output('r', index, Buffer.alloc(size))])),
      );
      number += burst.length;
      if (number % 7 === 0)
        await spool.hold({ id: 'h', records: [ended('h')], completion: number });
    }
    await spool.drained(patience());
    assert.deepEqual(taken, range(0, taken.length));
    assert.ok(taken.length >= 1_200);
  });

  it('reads the next batch while the store takes one, and sends it after it', async (t) => {
    const folder = await temporaryFolder(t);
    const { spool, store } = await startSpool(t, folder, { batchRecords: 10 });
    const asked: number[][] = [];
    let answer: (error?: Error) => void = () => undefined;
    store.ingest = (records) => {
      asked.push(records.map((record) => Number(keyOf(record))));
      return new Promise((resolve, reject) => {
        answer = (error) => (error === undefined ? resolve() : reject(error));
      });
    };
    const untilAsked = (calls: number): Promise<boolean> =>
      waitFor(() => asked.length === calls, {
        timeoutMs: 10_000,
        describe: () => `${String(asked.length)} of ${String(calls)} calls`,
      });
    await spool.append(range(0, 25).map(numbered));
    await untilAsked(1);
    // What was read is not taken: it stays pending, whatever becomes of the first.
    assert.equal(spool.state().pendingRecords, 25);
    answer(storeDown);
    await untilAsked(2);
    assert.deepEqual(asked[1], asked[0], 'the one that failed comes again');
    answer();
    await untilAsked(3);
    assert.equal(spool.state().pendingRecords, 15);
    answer();
    await untilAsked(4);
    answer();
    await spool.drained(patience());
    assert.deepEqual(asked.slice(1), [range(0, 10), range(10, 20), range(20, 25)]);
    assert.equal(spool.state().pendingRecords, 0);
  });

  it('batches by number, by bytes and by time, and joins a start with its end', async (t) => {
    const folder = await temporaryFolder(t);
    const { spool, store } = await startSpool(t, folder, {
      batchRecords: 10,
      batchBytes: 100_000,
      batchDelayMs: 50,
    });
    await spool.append(range(0, 35).map(numbered));
    await waitFor(() => store.records.length === 35, {
      timeoutMs: 10_000,
      describe: () => `${String(store.records.length)} of 35 came`,
    });
    assert.ok(store.batches.every((batch) => batch.length <= 10));

    store.batches.length = 0;
    await spool.append(range(0, 5).map((index) => output('big', index, Buffer.alloc(60_000))));
    await spool.drained(patience());
    assert.deepEqual(
      store.batches.map((batch) => batch.length),
      [1, 1, 1, 1, 1],
    );

    store.batches.length = 0;
    await spool.append([started('a'), started('b'), output('a', 0, Buffer.from('x')), ended('a')]);
    await spool.drained(patience());
    assert.deepEqual(store.keys, ['run-started b', 'output a 0', 'run-ended a']);
  });

  it('sets a refused record aside, with its ids in the log, and goes on', async (t) => {
    const folder = await temporaryFolder(t);
    const { spool, store, log } = await startSpool(t, folder);
    const bad = new Set(['17', 'output poison 5']);
    store.isPoison = (record) => bad.has(keyOf(record));
    const records: HistoryRecord[] = [
      ...range(0, 100).map(numbered),
      output('poison', 5, Buffer.from([0, 255])),
      ...range(100, 200).map(numbered),
    ];
    await spool.append(records);
    await spool.drained(patience());
    assert.deepEqual(
      store.keys,
      range(0, 200)
        .filter((number) => number !== 17)
        .map(String),
    );
    const lines = (await readFile(join(folder, 'rejected.jsonl'), 'utf8')).trimEnd().split('\n');
    assert.equal(lines.length, 2);
    assert.match(lines[0] ?? '', /a field is not acceptable.*"id":"17"/);
    assert.match(lines[1] ?? '', /"runId":"poison".*"data":"AP8="/);
    const [first, second] = log.loud('refuses a record');
    assert.equal(first?.['id'], '17');
    assert.equal(second?.['runId'], 'poison');
    assert.equal(second['job'], 'backup');
    assert.equal(spool.state().rejectedRecords, 2);
    await spool.stop();
    const next = await startSpool(t, folder);
    assert.equal(next.spool.state().rejectedRecords, 2, 'also in its next life');
  });

  it('waits out an error that nobody foresaw rather than lose anything', async (t) => {
    const folder = await temporaryFolder(t);
    const { spool, store } = await startSpool(t, folder);
    store.down = new TypeError('undefined is not a function');
    await spool.append(range(0, 10).map(numbered));
    await waitFor(() => spool.state().drainError, {
      timeoutMs: 10_000,
      describe: () => 'no drain error shows',
    });
    store.down = undefined;
    await spool.drained(patience());
    assert.deepEqual(store.keys, range(0, 10).map(String));
  });

  it('drained() answers for what was there, and ends with its signal', async (t) => {
    const folder = await temporaryFolder(t);
    const { spool, store } = await startSpool(t, folder, { batchDelayMs: 60_000 });
    // Without waiting for the batch to fill or age.
    await spool.drained(patience());
    void spool.append([numbered(1)]);
    await spool.drained(patience());
    assert.deepEqual(store.keys, ['1']);
    store.down = storeDown;
    await spool.append([numbered(2)]);
    await spool.drained(AbortSignal.timeout(50));
    await spool.drained(AbortSignal.abort());
    assert.equal(spool.state().pendingRecords, 1);
  });
});

describe('held entries', () => {
  it('go only when released, with what comes along, and not twice', async (t) => {
    const folder = await temporaryFolder(t);
    const { spool, store } = await startSpool(t, folder);
    await spool.hold({ id: 'h', records: [ended('r')], completion: { fence: 42 } });
    await spool.append([numbered(1)]);
    await spool.drained(patience());
    assert.deepEqual(store.keys, ['1']);
    assert.equal(spool.state().pendingRecords, 1);
    assert.deepEqual(spool.held(), [], 'only those of an earlier life are told');
    await Promise.all([spool.release('h', [numbered(2)]), spool.release('h')]);
    await spool.release('h');
    await spool.release('never-heard-of');
    await spool.drained(patience());
    assert.deepEqual(store.records.map(keyOf), ['1', 'run-ended r', '2']);
    assert.equal(spool.state().pendingBytes, 0);
  });

  it('come back in a later life, oldest first, until released', async (t) => {
    const folder = await temporaryFolder(t);
    const first = await startSpool(t, folder);
    for (const id of ['a', 'b', 'c']) {
      const records = [output(id, 0, Buffer.from([0, 1, 255])), ended(id)];
      await first.spool.hold({ id, records, completion: { id } });
    }
    await first.spool.release('b');
    await first.spool.stop();
    const second = await startSpool(t, folder);
    assert.deepEqual(second.spool.held(), [
      {
        id: 'a',
        records: [output('a', 0, Buffer.from([0, 1, 255])), ended('a')],
        completion: { id: 'a' },
      },
      {
        id: 'c',
        records: [output('c', 0, Buffer.from([0, 1, 255])), ended('c')],
        completion: { id: 'c' },
      },
    ]);
    await second.spool.release('a');
    assert.deepEqual(
      second.spool.held().map(({ id }) => id),
      ['c'],
    );
    await second.spool.drained(patience());
    assert.deepEqual(second.store.keys, ['output a 0', 'run-ended a']);
    await second.spool.release('c');
    await second.spool.stop();
    const third = await startSpool(t, folder);
    assert.deepEqual(third.spool.held(), []);
  });

  it('pin no disk: what is held long moves on while segments go', async (t) => {
    const folder = await temporaryFolder(t);
    const first = await startSpool(t, folder, { maxBytes: 1024 * 1024 });
    await first.spool.hold({ id: 'old', records: [ended('old')], completion: 1 });
    for (const index of range(0, 200)) {
      await first.spool.append([output('r', index * 8192, Buffer.alloc(8192))]);
      if (index % 20 === 0) await first.spool.drained(patience());
    }
    await first.spool.drained(patience());
    await waitFor(
      async () => (await readdir(folder)).filter((name) => name.endsWith('.log')).length <= 2,
      {
        timeoutMs: 10_000,
        describe: () => 'the held entry keeps old segments',
      },
    );
    await first.spool.stop();
    const second = await startSpool(t, folder);
    assert.deepEqual(
      second.spool.held().map(({ id }) => id),
      ['old'],
    );
  });
});

describe('lifecycle', () => {
  it('refuses work before start and after stop, and may be stopped at any time', async (t) => {
    const folder = await temporaryFolder(t);
    const { spool } = await startSpool(t, folder);
    await spool.append([numbered(1)]);
    await Promise.all([spool.stop(), spool.stop(), spool.start()]);
    await assert.rejects(spool.append([numbered(2)]), { code: 'spool-unavailable' });
    await assert.rejects(spool.hold({ id: 'h', records: [], completion: 0 }), {
      code: 'spool-unavailable',
    });
    assert.equal(spool.state().accepting, false);
    assert.equal(spool.state().reason, 'the spool is stopped');
    assert.deepEqual(
      await readdir(folder),
      ['acknowledged.json'],
      'an empty spool leaves no files',
    );
  });

  it('stops within its bound when the store hangs, and sends again in the next life', async (t) => {
    const folder = await temporaryFolder(t);
    const { spool, store } = await startSpool(t, folder, { stopDrainMs: 100 });
    let arrived = 0;
    store.ingest = () => {
      arrived += 1;
      return new Promise(() => undefined);
    };
    await spool.append([numbered(1)]);
    await waitFor(() => arrived > 0, { timeoutMs: 10_000, describe: () => 'nothing was sent' });
    void spool.append([numbered(2)]);
    const begun = performance.now();
    await spool.stop();
    assert.ok(performance.now() - begun < 5_000);
    const next = await startSpool(t, folder);
    await next.spool.drained(patience());
    assert.deepEqual(next.store.keys, ['1', '2']);
  });
});
