/**
 * Transaction 3, when the claim is no longer fresh (sent over a second ago, or sent again): reads the
 * fire and the definition once more. Gone means somebody settled it; changed means it must not start.
 */
import type { Clock } from '../../shared/clock.ts';
import type { EtcdKv, Op } from '../../shared/etcd/port.ts';
import { isCronmeshError } from '../../shared/errors.ts';
import type { Keys } from '../../shared/protocol/keys.ts';
import type { RanOutcome } from '../../shared/history/records.ts';
import type { ActiveRun } from './active-runs.ts';

export type StartVerdict =
  /** `startBy` is monotonic ms: later than that it must be confirmed again. */
  | { readonly kind: 'start'; readonly startBy: number }
  | { readonly kind: 'refused'; readonly outcome: RanOutcome; readonly reason: string }
  | { readonly kind: 'changed'; readonly reason: string }
  /** Somebody settled the fire; there is nothing to end. */
  | { readonly kind: 'settled' };

export async function confirmStart(
  { keys, clock, etcd }: { keys: Keys; clock: Clock; etcd: Pick<EtcdKv, 'txn'> },
  run: ActiveRun,
  freshForMs: number,
): Promise<StartVerdict> {
  const { entry, fireId } = run.won;
  const sentAtMs = clock.monotonicMs();
  const gets: Op[] = [
    { get: { key: keys.fire(entry.name, fireId) } },
    { get: { key: keys.job(entry.name), keysOnly: true } },
  ];
  let results;
  try {
    ({ results } = await etcd.txn({ compare: [], success: gets, failure: [] }));
  } catch (error) {
    if (!isCronmeshError(error)) throw error;
    return {
      kind: 'refused',
      outcome: 'lost',
      reason: 'etcd could not confirm the claim before the start',
    };
  }
  const [fire, job] = results.map((result) => (result.kind === 'get' ? result.kvs[0] : undefined));
  if (fire === undefined || fire.modRevision !== run.fireModRevision) return { kind: 'settled' };
  if (job?.modRevision !== entry.modRevision) {
    return { kind: 'changed', reason: 'the definition changed before the start' };
  }
  return { kind: 'start', startBy: sentAtMs + freshForMs };
}
