/** Merging by itself: the laws that let a store take records in any order. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { piecesOf } from '../../shared/history/record-pieces.ts';
import {
  foldRows,
  indexFieldsOf,
  mergeParts,
  rowOf,
  rowPartsSchema,
  type RowParts,
  type RowRecord,
} from '../../shared/history/row-parts.ts';
import { chunkWindow } from '../../shared/history/chunk-window.ts';
import {
  baseTick,
  ended,
  lost,
  lostInRestore,
  mixture,
  notRun,
  output,
  runFacts,
  seededRandom,
  shuffled,
  started,
} from '../support/history-samples.ts';

const run = runFacts('r1');
const records = [
  started(run),
  started(run, baseTick + 7),
  ended(run),
  ended(run, { outcome: 'failed' }),
  ended(run, { outcome: 'failed', exitCode: 3 }),
  ended(run, { outcome: 'lost', reason: 'gave up' }),
  lost(run),
  lost(runFacts('r1', { command: '', worker: 'w9' }), 'another verdict'),
  lostInRestore(run),
].filter((record) => record.kind !== 'output');

function folded(list: readonly RowRecord[]): RowParts {
  const parts = foldRows(list).get('r1');
  assert.ok(parts);
  return parts;
}

describe('history merging', () => {
  it('does not depend on order, grouping or repetition', () => {
    const expected = folded(records);
    const random = seededRandom(7);
    for (let round = 0; round < 300; round += 1) {
      const order = shuffled([...records, ...records], random);
      const cut = Math.floor(random() * order.length);
      const [left, right] = [order.slice(0, cut), order.slice(cut)];
      assert.deepEqual(folded(order), expected);
      if (left.length > 0 && right.length > 0) {
        assert.deepEqual(mergeParts(folded(left), folded(right)), expected);
      }
      assert.deepEqual(mergeParts(expected, folded(order)), expected);
    }
  });

  it('does not depend on the order of a record’s fields', () => {
    const turned = Object.fromEntries(Object.entries(run).toReversed()) as unknown as typeof run;
    assert.deepEqual(folded([started(turned) as RowRecord]), folded([started(run) as RowRecord]));
  });

  it('lets the first of the same not-run rows stand', () => {
    const first = notRun('m', { reason: 'first' }) as RowRecord;
    const later = notRun('m', { reason: 'later' }) as RowRecord;
    const parts = foldRows([first, later]).get('m');
    assert.equal(parts && rowOf(parts).reason, 'first');
  });

  it('survives the way through JSON', () => {
    const rows = foldRows(mixture(200).filter((record) => record.kind !== 'output'));
    for (const [id, parts] of rows) {
      const back = rowPartsSchema.parse(JSON.parse(JSON.stringify(parts)));
      assert.deepEqual(back, parts);
      const row = rowOf(back);
      assert.equal(row.id, id);
      assert.equal(row.outcome ?? 'running', indexFieldsOf(back).state);
      assert.equal(row.tick, indexFieldsOf(back).tick);
    }
  });
});

describe('history pieces', () => {
  it('cuts by records and by bytes, in order, none left out', () => {
    const big = Array.from({ length: 7 }, (_, n) => output('r1', n, Buffer.alloc(900_000)));
    const huge = output('r2', 0, Buffer.alloc(5_000_000));
    const all = [...mixture(800), ...big, huge, huge, ...mixture(3)];
    const pieces = [...piecesOf(all)];
    assert.deepEqual(
      pieces.flatMap((piece) => piece.records),
      all,
    );
    let next = 0;
    for (const { first, records: piece } of pieces) {
      assert.equal(first, next);
      next += piece.length;
      assert.ok(piece.length >= 1 && piece.length <= 500);
      const bytes = piece.reduce(
        (total, record) => total + (record.kind === 'output' ? record.data.length : 0),
        0,
      );
      assert.ok(bytes <= 2 * 1024 * 1024 || piece.length === 1, `${bytes} bytes`);
    }
    assert.deepEqual([...piecesOf([])], []);
  });
});

describe('history chunk window', () => {
  const sizes = [
    { offset: 0, length: 10 },
    { offset: 10, length: 0 },
    { offset: 10, length: 5 },
    { offset: 20, length: 10 },
  ];

  it('begins with the chunk that holds the byte, or the next one', () => {
    assert.deepEqual(chunkWindow(sizes, 0, 100), { first: 0, last: 20 });
    assert.deepEqual(chunkWindow(sizes, 9, 100), { first: 0, last: 20 });
    assert.deepEqual(chunkWindow(sizes, 10, 100), { first: 10, last: 20 });
    assert.deepEqual(chunkWindow(sizes, 16, 100), { first: 20, last: 20 });
    assert.equal(chunkWindow(sizes, 30, 100), undefined);
    assert.equal(chunkWindow([], 0, 100), undefined);
  });

  it('ends before it would be too much, but has one chunk at least', () => {
    assert.deepEqual(chunkWindow(sizes, 0, 1), { first: 0, last: 0 });
    assert.deepEqual(chunkWindow(sizes, 0, 15), { first: 0, last: 10 });
    assert.deepEqual(chunkWindow(sizes, 0, 25), { first: 0, last: 20 });
  });
});
