/**
 * The MongoDB driver, loaded when a store needs it: it costs 20 MB and a tenth of a second, which
 * the processes of a machine that keeps its history in SQLite should not pay.
 */
import { createRequire } from 'node:module';

export type Driver = typeof import('mongodb');

export function loadDriver(): Driver {
  return createRequire(import.meta.url)('mongodb') as Driver;
}
