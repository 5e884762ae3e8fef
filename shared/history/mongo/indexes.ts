/**
 * The indexes of the rows, one for each way in which the console asks; making those that are there
 * already is harmless. Output chunks need none beside their _id. `state` stands in each of them so
 * that an outcome is filtered, and counted, without reading the documents.
 */
import type { Collection } from 'mongodb';
import type { RowDocument } from './documents.ts';
import { isIndexNotFound } from './mongo-errors.ts';

/** What earlier versions made, and nothing asks for any more. */
const former = ['by-tick'];

export async function createIndexes(rows: Collection<RowDocument>): Promise<void> {
  await rows.createIndexes([
    { name: 'by-tick-with-job', key: { tick: 1, _id: 1, state: 1, job: 1 } },
    { name: 'by-job', key: { job: 1, tick: 1, _id: 1, state: 1 } },
    { name: 'by-group', key: { group: 1, tick: 1, _id: 1, state: 1 } },
    { name: 'by-worker', key: { worker: 1, tick: 1, _id: 1, state: 1 } },
    { name: 'by-state', key: { state: 1, tick: 1, _id: 1 } },
  ]);
  for (const name of former) {
    await rows.dropIndex(name).catch((error: unknown) => {
      if (!isIndexNotFound(error)) throw error;
    });
  }
}
