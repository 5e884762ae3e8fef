/**
 * Transaction 14: a trigger by request. Guards: this request was not taken before
 * (`create(once/<requestId>) == 0`) and the definition is the one the asker saw. Puts the trigger and
 * the request's mark, which hangs on a short lease so that it goes by itself.
 */
import type { Txn } from '../etcd/port.ts';
import type { Keys } from './keys.ts';
import { encodeValue, type TriggerValue } from './values.ts';

export interface TriggerRequest {
  readonly keys: Keys;
  readonly name: string;
  /** Of the definition, as seen; the trigger belongs to this life of the job. */
  readonly jobCreateRevision: number;
  readonly triggerId: string;
  readonly trigger: TriggerValue;
  readonly requestId: string;
  /** Lease of the request's mark. */
  readonly leaseId: string;
}

/** Failure branch: the mark (whose value is the trigger's id when the request is a repeat) and the job. */
export function requestTrigger(request: TriggerRequest): Txn {
  const { keys, name } = request;
  const onceKey = keys.once(request.requestId);
  const jobKey = keys.job(name);
  return {
    compare: [
      { key: onceKey, target: 'create', op: '=', value: 0 },
      { key: jobKey, target: 'create', op: '=', value: request.jobCreateRevision },
    ],
    success: [
      { put: { key: keys.trigger(name, request.triggerId), value: encodeValue(request.trigger) } },
      { put: { key: onceKey, value: request.triggerId, lease: request.leaseId } },
    ],
    failure: [{ get: { key: onceKey } }, { get: { key: jobKey } }],
  };
}
