/**
 * The keys of retention: what the mesh keeps of history (`settings/history`), and who pruned it last
 * (`pruned`). The latter is an announcement, so that masters do not all do the same work; nothing hangs
 * on it, because pruning twice deletes nothing more. Both are read from etcd itself when they are
 * needed; the view only tells that they changed.
 */
import { z } from 'zod';
import type { EtcdKv, KeyValue, OpResult, Txn } from '../etcd/port.ts';
import { defaultRetention, retentionSchema, type Retention } from '../history/retention-rule.ts';
import type { Keys } from './keys.ts';
import { decodeValue, encodeValue } from './values.ts';

const epochMs = z.int().min(0);
const count = z.int().min(0);

/** `pruned`. */
const prunedSchema = z.object({
  v: z.literal(1),
  /** When the newest round was begun, or was last known to be under way. */
  begunAt: epochMs,
  /** Revision up to which its master had seen the mesh then: what is changed later asks for another. */
  seen: z.int().min(0),
  /** Of the newest round that came to its end. */
  last: z
    .object({
      endedAt: epochMs,
      tookMs: count,
      /** Deleted. */
      rows: count,
      /** Pieces of output, deleted. */
      chunks: count,
      jobs: count,
    })
    .optional(),
});
export type PrunedValue = z.output<typeof prunedSchema>;
export type PruneRound = NonNullable<PrunedValue['last']>;

export interface StoredRetention {
  /** Undefined when what is stored cannot be read: then nothing may be deleted. */
  readonly retention: Retention | undefined;
  /** 0 while nothing is stored, and the defaults hold. */
  readonly revision: number;
  readonly pruned: PrunedValue | undefined;
  readonly prunedRevision: number;
}

export async function readRetention(
  etcd: EtcdKv,
  keys: Keys,
  timeoutMs?: number,
): Promise<StoredRetention> {
  const { results } = await etcd.txn(
    {
      compare: [],
      success: [{ get: { key: keys.setting('history') } }, { get: { key: keys.pruned } }],
      failure: [],
    },
    timeoutMs === undefined ? {} : { timeoutMs },
  );
  return storedFrom(results);
}

export function storedFrom([setting, pruned]: readonly OpResult[]): StoredRetention {
  const settingKv = kvOf(setting);
  const prunedKv = kvOf(pruned);
  return {
    retention:
      settingKv === undefined ? defaultRetention : decodeValue(retentionSchema, settingKv.value),
    revision: settingKv?.modRevision ?? 0,
    pruned: prunedKv && decodeValue(prunedSchema, prunedKv.value),
    prunedRevision: prunedKv?.modRevision ?? 0,
  };
}

/** Guard: the setting is still the one the editor saw, 0 for none. Failure branch: what stands. */
export function putRetention(keys: Keys, seen: number, retention: Retention): Txn {
  const key = keys.setting('history');
  return {
    compare: [{ key, target: 'mod', op: '=', value: seen }],
    success: [{ put: { key, value: encodeValue(retention) } }],
    failure: [{ get: { key } }, { get: { key: keys.pruned } }],
  };
}

/** Guard: nobody took a turn since `seen`. */
export function putPruned(keys: Keys, seen: number, value: PrunedValue): Txn {
  const key = keys.pruned;
  return {
    compare: [{ key, target: 'mod', op: '=', value: seen }],
    success: [{ put: { key, value: encodeValue(value) } }],
    failure: [],
  };
}

function kvOf(result: OpResult | undefined): KeyValue | undefined {
  return result?.kind === 'get' ? result.kvs[0] : undefined;
}
