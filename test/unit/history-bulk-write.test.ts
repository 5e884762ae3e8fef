/** The accounting of a bulk write: what counts as done, what is sent again, and what must throw. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AnyBulkWriteOperation, Collection } from 'mongodb';
import { bulkWriteAll } from '../../shared/history/mongo/bulk-write.ts';
import type { RowDocument } from '../../shared/history/mongo/documents.ts';
import { isCronmeshError } from '../../shared/errors.ts';
import { loadDriver } from '../../shared/history/mongo/driver.ts';

const driver = loadDriver();
const operations: AnyBulkWriteOperation<RowDocument>[] = [
  { insertOne: { document: { _id: 'a' } } },
  { updateOne: { filter: { _id: 'b' }, update: [], upsert: true } },
  { updateOne: { filter: { _id: 'c' }, update: [], upsert: true } },
];

/** The driver's own error, for refused operations by index and code. */
function bulkError(refused: Record<number, number>, done: number, concern?: object): Error {
  const writeErrors = Object.entries(refused).map(([index, code]) => ({
    index: Number(index),
    code,
  }));
  return Object.assign(Object.create(driver.MongoBulkWriteError.prototype) as Error, {
    writeErrors,
    result: {
      insertedCount: 0,
      matchedCount: 0,
      upsertedCount: done,
      getWriteConcernError: () => concern,
    },
  });
}

/** Sends to a collection that answers with `answers` in turn; gives what was sent. */
async function sentWith(answers: readonly (Error | undefined)[]): Promise<unknown[][]> {
  const sent: unknown[][] = [];
  const collection = {
    bulkWrite: async (batch: unknown[]) => {
      const answer = answers[sent.length];
      sent.push([...batch]);
      if (answer !== undefined) throw answer;
    },
  } as unknown as Collection<RowDocument>;
  await bulkWriteAll(driver, collection, operations);
  return sent;
}

describe('bulk write', () => {
  it('sends nothing for nothing, and once when all goes well', async () => {
    await bulkWriteAll(driver, {} as Collection<RowDocument>, []);
    assert.equal((await sentWith([undefined])).length, 1);
  });

  it('takes a duplicate insert for done, and sends a raced upsert again', async () => {
    const sent = await sentWith([bulkError({ 0: 11_000, 2: 11_000 }, 1), undefined]);
    assert.deepEqual(sent, [operations, [operations[2]]]);
    assert.equal((await sentWith([bulkError({ 0: 11_000 }, 2)])).length, 1);
  });

  it('throws for anything that is not accounted for', async () => {
    const failures = [
      new Error('connection lost'),
      bulkError({ 0: 11_000, 1: 112 }, 1),
      // The connection went after the first of several batches: the rest was never sent.
      bulkError({ 0: 11_000 }, 0),
      bulkError({}, 1),
      // Refused as a duplicate, but not yet on a majority.
      bulkError({ 0: 11_000 }, 2, { code: 64 }),
    ];
    for (const failure of failures) {
      await assert.rejects(sentWith([failure, undefined]), (error) => error === failure);
    }
  });

  it('gives up when the race does not end', async () => {
    const race = bulkError({ 0: 11_000 }, 0);
    await assert.rejects(
      sentWith([bulkError({ 1: 11_000 }, 2), race, race, race, race, race]),
      (error) => isCronmeshError(error, 'store-rejected'),
    );
  });
});
