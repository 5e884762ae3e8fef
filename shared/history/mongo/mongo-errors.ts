/**
 * MongoDB's failures in the terms of the catalogue: everything about the server, the way to it or
 * the rights on it is `store-unavailable`, because it can be repaired and nothing must be dropped
 * meanwhile; only what was asked can be `store-rejected`.
 */
import { CronmeshError, isCronmeshError } from '../../errors.ts';

const duplicateKey = 11_000;
const indexNotFound = 27;
/** BadValue, BSONObjectTooLarge, DocumentValidationFailure, and an over-long message. */
const rejectedCodes = new Set([2, 121, 10_334, 17_280, 17_419, 17_420]);
const rejectedNames = new Set(['BSONError', 'MongoInvalidArgumentError']);

export function storeErrorOf(error: unknown): CronmeshError {
  if (isCronmeshError(error)) return error;
  const message = error instanceof Error ? error.message : String(error);
  const rejected =
    rejectedCodes.has(numberIn(error, 'code')) ||
    (error instanceof Error && rejectedNames.has(error.name));
  return new CronmeshError(
    rejected ? 'store-rejected' : 'store-unavailable',
    `MongoDB: ${message}`,
    { cause: error },
  );
}

export function isDuplicateKey(error: unknown): boolean {
  return numberIn(error, 'code') === duplicateKey;
}

export function isIndexNotFound(error: unknown): boolean {
  return numberIn(error, 'code') === indexNotFound;
}

function numberIn(error: unknown, field: 'code'): number {
  if (typeof error !== 'object' || error === null || !(field in error)) return Number.NaN;
  return Number(error[field]);
}
