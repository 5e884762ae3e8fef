/**
 * `state/<name>`: how the newest settled run of a job ended. It is put by the transaction that settles
 * a run, and only while the job still lives the life that the run belongs to: a job that was deleted
 * leaves nothing but its tombstone, and one that was made anew does not inherit an end. The guard is
 * nested, so it costs no round trip, and when it fails the run is settled all the same.
 */
import type { Op } from '../etcd/port.ts';
import type { Keys } from './keys.ts';
import { encodeValue, type StateValue } from './values.ts';

export function putState(keys: Keys, name: string, jobCreate: number, state: StateValue): Op {
  return {
    txn: {
      compare: [{ key: keys.job(name), target: 'create', op: '=', value: jobCreate }],
      success: [{ put: { key: keys.state(name), value: encodeValue(state) } }],
      failure: [],
    },
  };
}
