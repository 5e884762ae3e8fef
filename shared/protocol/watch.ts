/**
 * The mark that somebody watches a run's output: an announcement to the run's worker, never a guard of
 * anything. It hangs on a lease of a master's, so it goes by itself.
 */
import type { Txn } from '../etcd/port.ts';
import type { Keys } from './keys.ts';
import { encodeValue } from './values.ts';

/** Guards: none; it may be put for a run that is over, or never was, and put again. */
export function markWatched(keys: Keys, runId: string, leaseId: string): Txn {
  const mark = { key: keys.watch(runId), value: encodeValue({ v: 1 }), lease: leaseId };
  return { compare: [], success: [{ put: mark }], failure: [] };
}
