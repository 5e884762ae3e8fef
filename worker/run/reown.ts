/**
 * Transaction 10: after a new session, the open fire of a run that goes on is put with that session.
 * Refused means somebody settled it as lost meanwhile: a guarded run is killed, another one goes on
 * and reports late.
 */
import { backoffMs, sleep, type Clock, type Random } from '../../shared/clock.ts';
import { isGuarded } from '../../shared/job/limits.ts';
import type { Logger } from '../../shared/log.ts';
import { reownFire } from '../../shared/protocol/complete.ts';
import type { Keys } from '../../shared/protocol/keys.ts';
import { decodeValue, encodeValue, fireSchema } from '../../shared/protocol/values.ts';
import type { TxnBatcher } from '../mesh/txn-batcher.ts';
import type { ActiveRun } from './active-runs.ts';

interface ReownOptions {
  readonly keys: Keys;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly batcher: TxnBatcher;
  readonly signal: AbortSignal;
}

export async function reown(
  options: ReownOptions,
  run: ActiveRun,
  sessionId: string,
): Promise<void> {
  const { keys, batcher, clock, random, logger, signal } = options;
  const { name, job } = run.won.entry;
  const fire = { ...run.fire, session: sessionId };
  for (let attempt = 0; !signal.aborted; attempt++) {
    try {
      const txn = reownFire(keys, name, run.won.fireId, run.fireModRevision, fire);
      const { result } = await batcher.submit(name, txn);
      const read = result.results[0];
      const kv = read?.kind === 'get' ? read.kvs[0] : undefined;
      if (result.succeeded || kv?.value.toString() === encodeValue(fire)) {
        run.fireModRevision = kv?.modRevision ?? result.revision;
        run.fire = fire;
      } else if (kv !== undefined && decodeValue(fireSchema, kv.value)?.runId === fire.runId) {
        run.fireModRevision = kv.modRevision;
        // The session may have gone again meanwhile; the next one will take it along.
        return;
      } else if (isGuarded(job, fire.attempt)) {
        run.handle?.kill('settled as lost by another worker', 0);
      }
      return;
    } catch (error) {
      logger.warn({ err: error, job: name, runId: fire.runId }, 'open fire could not be re-owned');
      await sleep(clock, backoffMs(attempt, 100, 2_000, random), signal).catch(() => undefined);
    }
  }
}
