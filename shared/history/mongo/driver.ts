/**
 * The MongoDB driver, loaded when a store needs it: it costs 20 MB and a tenth of a second, which
 * the processes of a machine that keeps its history in SQLite should not pay.
 */
import { createRequire } from 'node:module';
import type * as mongodb from 'mongodb';

export type Driver = typeof mongodb;

export function loadDriver(): Driver {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the package and its own types
  return createRequire(import.meta.url)('mongodb') as Driver;
}
