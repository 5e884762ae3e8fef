/**
 * An unordered bulk write that counts "already there" as done. A duplicate key on an insert means
 * that the same thing was sent before; on an upsert it means that another writer made the document
 * in the same moment, and the update is sent again; when that does not help, the id is stored under
 * another shard key, which is `store-rejected`. Anything else throws, and so does a bulk of which not
 * every operation is accounted for.
 */
import type { AnyBulkWriteOperation, Collection } from 'mongodb';
import { CronmeshError } from '../../errors.ts';
import type { Driver } from './driver.ts';
import type { RowDocument } from './documents.ts';
import { isDuplicateKey } from './mongo-errors.ts';

const maxAttempts = 5;

export async function bulkWriteAll(
  driver: Driver,
  collection: Collection<RowDocument>,
  operations: readonly AnyBulkWriteOperation<RowDocument>[],
): Promise<void> {
  let pending = operations;
  for (let attempt = 1; pending.length > 0; attempt += 1) {
    try {
      await collection.bulkWrite(pending, { ordered: false });
      return;
    } catch (error) {
      if (!(error instanceof driver.MongoBulkWriteError)) throw error;
      const refused = [error.writeErrors].flat();
      const { result } = error;
      const done = result.insertedCount + result.matchedCount + result.upsertedCount;
      if (
        result.getWriteConcernError() !== undefined ||
        !refused.every(isDuplicateKey) ||
        done + refused.length !== pending.length
      ) {
        throw error;
      }
      const raced = new Set(refused.map((writeError) => writeError.index));
      pending = pending.filter((write, index) => raced.has(index) && !('insertOne' in write));
      if (pending.length > 0 && attempt === maxAttempts) {
        throw new CronmeshError(
          'store-rejected',
          'MongoDB: the id of a run is stored with another job or tick',
          { cause: error },
        );
      }
    }
  }
}
