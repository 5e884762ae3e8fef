/** What every transaction of a decision needs, and what it takes from the view of its job. */
import type { Clock, Random } from '../../shared/clock.ts';
import type { JobEntry } from '../../shared/mesh/job-entry.ts';
import type { JobParts } from '../../shared/mesh/view.ts';
import type { Keys } from '../../shared/protocol/keys.ts';
import type { Submitted, TxnBatcher } from '../mesh/txn-batcher.ts';

export type GoodEntry = JobEntry & { ok: true };

export interface ActOptions {
  readonly keys: Keys;
  readonly clock: Clock;
  readonly random: Random;
  readonly batcher: TxnBatcher;
  readonly workerId: string;
}

export interface ActionResult {
  /** Revision of the server's answer; the job rests until the view has reached it. */
  readonly revision?: number;
  /** Somebody else had been first: what it was decided from was old. */
  readonly wasLost?: boolean;
}

export function groupOf(part: JobParts): string {
  return part.entry?.ok === true ? part.entry.job.group : 'default';
}

/** Decisions about ticks are only made for a good definition with a counting cursor. */
export function counted(part: JobParts): { entry: GoodEntry; cursorRaw: string; schedule: string } {
  const { entry, cursor } = part;
  if (entry?.ok !== true || cursor?.cursor === undefined) {
    throw new Error(`no counting cursor for ${part.name}`);
  }
  return { entry, cursorRaw: cursor.raw, schedule: cursor.cursor.schedule };
}

export function revisionOf({ result }: Submitted): ActionResult {
  return { revision: result.revision };
}
