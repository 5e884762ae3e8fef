/**
 * Retries: the next attempt of a fire is a trigger, put in the same transaction that settles the
 * former one, and obeys every rule that triggers obey. Its id follows from the run that ended, so
 * that whoever settles that run puts the same one.
 */
import type { Random } from '../clock.ts';
import type { Op } from '../etcd/port.ts';
import type { Job } from '../job/definition.ts';
import { isRetried } from '../job/limits.ts';
import type { Keys } from './keys.ts';
import { encodeValue, triggerLifeMs, type FireValue, type TriggerValue } from './values.ts';

export interface Retry {
  readonly triggerId: string;
  readonly trigger: TriggerValue;
}

/** The next attempt after `outcome`; undefined when the job wants none. */
export function nextAttempt(
  job: Job,
  fire: FireValue,
  outcome: string,
  nowMs: number,
  random: Random,
): Retry | undefined {
  if (!isRetried(job, outcome, fire.attempt)) return undefined;
  const { backoffSeconds, maxBackoffSeconds } = job.retries;
  const pauseSeconds = Math.min(backoffSeconds * 2 ** (fire.attempt - 1), maxBackoffSeconds);
  // A fifth either way keeps jobs that failed together from coming back together.
  const notBefore = nowMs + Math.round(pauseSeconds * 1_000 * (0.8 + 0.4 * random()));
  return {
    triggerId: `y${fire.runId}`,
    trigger: {
      v: 1,
      cause: 'retry',
      tick: fire.tick,
      notBefore,
      expires: notBefore + triggerLifeMs,
      attempt: fire.attempt + 1,
      jobCreate: fire.jobCreate,
      ...(fire.by === undefined ? {} : { by: fire.by }),
      avoid: fire.worker,
    },
  };
}

/** For the transaction that settles the attempt before it; nothing when none is due. */
export function putRetry(keys: Keys, name: string, retry: Retry | undefined): Op[] {
  if (retry === undefined) return [];
  return [{ put: { key: keys.trigger(name, retry.triggerId), value: encodeValue(retry.trigger) } }];
}
