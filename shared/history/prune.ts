/**
 * Which rows of a job a rule lets go, in whatever store they are. A row goes when it is beyond the
 * newest `maxRows` of its job, or when both its tick and its end are before `before`: a catch-up of an
 * old tick is as young as its run. An open run never goes, and with `keepLastFailure` neither does the
 * newest run that did not succeed by itself. Its output goes with a run, and before it: what is cut off in
 * the middle is found again by its row. All of it can be repeated, and done by several at a time.
 */
import { z } from 'zod';
import { parseWith } from '../job/zod-problems.ts';
import type { RowPosition } from './runs-query.ts';

const maxStepRows = 1_000;

export interface KeepRule {
  /** Epoch ms. */
  readonly before: number;
  readonly maxRows: number;
  readonly keepLastFailure: boolean;
}

export interface PruneAsk {
  readonly job: string;
  readonly rule: KeepRule;
  /** Where the step before this one stopped. */
  readonly after?: RowPosition;
  /** How many rows are looked at, at most; 1 to 1,000. */
  readonly limit: number;
}

export interface PruneStep {
  readonly rows: number;
  /** Pieces of output. */
  readonly chunks: number;
  /** Where to go on; absent when there is nothing more of the job to look at. */
  readonly next?: RowPosition;
}

export interface StorageUse {
  /** On disk, with indexes. */
  readonly bytes: number;
  /** Of them, what deletions left free for what comes. */
  readonly freeBytes?: number;
  readonly rows: number;
  /** Epoch ms. */
  readonly oldestTick?: number;
}

/** A row as far as a rule looks at it. */
export interface OldRow extends RowPosition {
  readonly state: string;
  /** Unknown of a row that is damaged. */
  readonly endedAt?: number | undefined;
}

export const failureStates = ['failed', 'timed-out', 'lost'] as const;

const askSchema = z.strictObject({
  job: z.string(),
  rule: z.strictObject({
    before: z.int().min(0),
    maxRows: z.int().min(1),
    keepLastFailure: z.boolean(),
  }),
  after: z.strictObject({ tick: z.int(), id: z.string() }).exactOptional(),
  limit: z.int().min(1).max(maxStepRows),
});

/** Throws `request-invalid`. */
export function parsePruneAsk(ask: PruneAsk): PruneAsk {
  return parseWith(askSchema, ask, 'request-invalid', 'the rule');
}

/** Up to where rows must be looked at; no id is below ''. `beyond` is the newest row over the count. */
export function lastToLookAt(rule: KeepRule, beyond: RowPosition | undefined): RowPosition {
  const oldest = { tick: rule.before, id: '' };
  return beyond !== undefined && isAtOrBefore(oldest, beyond) ? beyond : oldest;
}

/** Which of `found`, rows of one job, go. */
export function rowsToPrune<Row extends OldRow>(
  found: readonly Row[],
  rule: KeepRule,
  beyond: RowPosition | undefined,
  lastFailure: string | undefined,
): Row[] {
  return found.filter((row) => {
    if (row.state === 'running') return false;
    if (rule.keepLastFailure && row.id === lastFailure) return false;
    if (beyond !== undefined && isAtOrBefore(row, beyond)) return true;
    return row.tick < rule.before && (row.endedAt ?? row.tick) < rule.before;
  });
}

/** Whether the job's newest failure must be known for them. */
export function holdsFailure(found: readonly OldRow[], rule: KeepRule): boolean {
  return rule.keepLastFailure && found.some(({ state }) => isFailure(state));
}

function isFailure(state: string): boolean {
  return failureStates.some((failure) => failure === state);
}

/** As both stores order ids: by their bytes. */
function isAtOrBefore(a: RowPosition, b: RowPosition): boolean {
  if (a.tick !== b.tick) return a.tick < b.tick;
  return Buffer.compare(Buffer.from(a.id), Buffer.from(b.id)) <= 0;
}
