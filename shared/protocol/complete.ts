/**
 * Transaction 7: the end of a run, sent only after its outcome is safe in the spool; the end of a fire
 * that is given up before anything ran (3); and transaction 10, taking an open fire along into a new
 * session.
 */
import type { Op, Txn, TxnResult } from '../etcd/port.ts';
import type { Keys } from './keys.ts';
import { putRetry, type Retry } from './retry.ts';
import { putState } from './state.ts';
import { encodeValue, type FireValue, type NotRunValue, type StateValue } from './values.ts';

export interface Completion {
  readonly keys: Keys;
  readonly name: string;
  readonly fireId: string;
  readonly runId: string;
  /** mod revision of the fire as this worker last wrote it. */
  readonly fireModRevision: number;
  /** How it ended, and the life of the job that the fire belongs to. */
  readonly state?: { readonly jobCreate: number; readonly value: StateValue };
  /** Number of the slot that the fire holds. */
  readonly slot?: number;
  /** The next attempt, when one is due. */
  readonly retry?: Retry;
}

/**
 * Guard: the fire is as claimed (or as re-owned). Deletes it and its slot, puts `state` if the job still is in the fire's life, and the trigger of the next attempt when
 * one is due.
 */
export function completeRun(completion: Completion): Txn {
  const { keys, name } = completion;
  const fireKey = keys.fire(name, completion.fireId);
  return {
    compare: [{ key: fireKey, target: 'mod', op: '=', value: completion.fireModRevision }],
    success: [
      { delete: { key: fireKey } },
      ...(completion.slot === undefined
        ? []
        : [{ delete: { key: keys.slot(name, completion.slot) } }]),
      ...putRetry(keys, name, completion.retry),
      ...(completion.state === undefined
        ? []
        : [putState(keys, name, completion.state.jobCreate, completion.state.value)]),
    ],
    failure: [{ get: { key: fireKey } }],
  };
}

export interface GivenUp extends Omit<Completion, 'state' | 'retry'> {
  readonly done: NotRunValue;
  readonly doneId: string;
}

/**
 * Guard: the fire is as claimed (or as re-owned). Deletes it and all that hangs on it, and puts the
 * `done` record that says why it did not run: one account, of whoever comes first, for a fire that a
 * survivor may settle as lost at the same time.
 */
export function giveUpFire(givenUp: GivenUp): Txn {
  const { keys, name, done, doneId } = givenUp;
  const completion = completeRun(givenUp);
  const put: Op = { put: { key: keys.done(name, doneId), value: encodeValue(done) } };
  return { ...completion, success: [...completion.success, put] };
}

export type CompletionVerdict =
  | { readonly kind: 'completed' }
  /** The fire is still this run's, at another revision: try again with it. */
  | { readonly kind: 'moved'; readonly fireModRevision: number }
  /** Done before (a lost reply), or settled as lost by somebody; the store tells them apart. */
  | { readonly kind: 'gone' };

/** What a completion's answer means; `parseFire` reads the fire that its failure branch got. */
export function readCompletion(
  completion: Pick<Completion, 'runId'>,
  result: TxnResult,
  parseFire: (bytes: Buffer) => FireValue | undefined,
): CompletionVerdict {
  if (result.succeeded) return { kind: 'completed' };
  const read = result.results[0];
  const kv = read?.kind === 'get' ? read.kvs[0] : undefined;
  if (kv === undefined || parseFire(kv.value)?.runId !== completion.runId) return { kind: 'gone' };
  return { kind: 'moved', fireModRevision: kv.modRevision };
}

/** 10. Guard: the fire is as known. Puts it with the new session; refused means it was settled. */
export function reownFire(
  keys: Keys,
  name: string,
  fireId: string,
  fireModRevision: number,
  fire: FireValue,
): Txn {
  const key = keys.fire(name, fireId);
  return {
    compare: [
      { key, target: 'mod', op: '=', value: fireModRevision },
      { key: keys.session(fire.session), target: 'create', op: '>', value: 0 },
    ],
    success: [{ put: { key, value: encodeValue(fire) } }],
    failure: [{ get: { key } }],
  };
}
