/**
 * What becomes of a job's due ticks: old ones are written off, those that the calendars exclude are
 * passed over with one record a stretch, and the oldest that may fire is claimed, or refused for the
 * runs that are open. No tick is claimed while an earlier one has no account.
 */
import type { JobTicks } from '../../shared/calendar/job-ticks.ts';
import type { Job } from '../../shared/job/definition.ts';
import type { JobEntry } from '../../shared/mesh/job-entry.ts';
import { isQueuedTrigger } from '../../shared/protocol/keys.ts';
import { unreadableText } from '../../shared/mesh/unreadable.ts';
import type { JobParts } from '../../shared/mesh/view.ts';
import type { Cursor } from '../../shared/protocol/cursor.ts';
import {
  exclusionOf,
  latestTicks,
  missedSpan,
  type Span,
} from '../../shared/protocol/missed-span.ts';
import type { Holder } from '../../shared/protocol/not-run.ts';
import { claimOr, isFull, whenRanked, type DecideContext, type Decision } from './decision.ts';

/** A tick with a newer one due is given up after this long; any tick after the start deadline. */
const staleTickMs = 2_000;
/** Excluded ticks of a stretch are gathered for so long, so that they are a row a minute at most. */
const gatherMs = 60_000;

interface DueTicks {
  readonly part: JobParts;
  readonly entry: JobEntry & { ok: true };
  readonly cursor: Cursor;
  readonly ticks: JobTicks;
  readonly context: DecideContext;
}

interface TickDecision {
  /** Comes before the job's triggers. */
  readonly first: Decision;
  /** Comes after them. */
  readonly later?: () => Decision;
}

export function decideTicks(due: DueTicks): TickDecision {
  const { cursor, ticks, context } = due;
  const oldest = ticks.base.next(cursor.tick);
  if (oldest === undefined) return { first: { kind: 'wait' } };
  if (oldest > context.nowMs) return { first: { kind: 'wait', untilMs: oldest } };
  const allowed = ticks.excluded === undefined ? oldest : ticks.allowed.next(cursor.tick);
  if (allowed !== undefined && allowed <= context.nowMs) {
    const { stale, decision } = decideWriteOff(due, allowed);
    // A stale tick is never claimed, not even by one who waits for its turn to write it off.
    if (stale) return { first: decision };
    if (allowed === oldest) return { first: decision, later: () => decideTick(due, allowed) };
  }
  return { first: decideExcluded(due, oldest, allowed) };
}

/** `oldest` is excluded, and so is every tick up to `allowed` (undefined: up to the end of time). */
function decideExcluded(
  { cursor, ticks, context }: DueTicks,
  oldest: number,
  allowed = Infinity,
): Decision {
  const { nowMs } = context;
  const gathered = ticks.base.latest(Math.min(oldest + gatherMs, allowed - 1), cursor.tick);
  // The first tick of a stretch is told at once; so is what nothing would be added to.
  const isFirst = ticks.exclusionAt(cursor.tick) === undefined;
  const tellAt = isFirst ? oldest : (gathered ?? oldest);
  if (nowMs < tellAt) return { kind: 'wait', untilMs: tellAt };
  const subject = `exclude ${oldest}`;
  return whenRanked(subject, context.firstSeenMs(subject), context, () => {
    if (!context.canDecide()) return { kind: 'wait' };
    const span = missedSpan(ticks, cursor.tick, Math.min(nowMs, allowed - 1));
    if (span === undefined) return { kind: 'wait' };
    const reason = exclusionOf(ticks, span);
    return { kind: 'skip-excluded', span, reason, calendars: ticks.guards };
  });
}

function decideWriteOff(
  { entry: { job }, cursor, ticks, context }: DueTicks,
  oldest: number,
): { readonly stale: boolean; readonly decision: Decision } {
  const { nowMs } = context;
  const { allowed } = ticks;
  const startDeadlineMs = job.startDeadlineSeconds * 1_000;
  const newest = allowed.latest(nowMs, cursor.tick) ?? oldest;
  const lastStale =
    newest <= nowMs - startDeadlineMs
      ? newest
      : Math.max(
          oldest <= nowMs - startDeadlineMs ? oldest : 0,
          newest > oldest
            ? (allowed.latest(Math.min(nowMs - staleTickMs, newest - 1), cursor.tick) ?? 0)
            : 0,
        );
  if (lastStale === 0) {
    const staleAt = Math.min(
      oldest + startDeadlineMs,
      Math.max(oldest + staleTickMs, allowed.next(oldest) ?? Number.MAX_SAFE_INTEGER),
    );
    return { stale: false, decision: { kind: 'wait', untilMs: staleAt } };
  }
  const subject = `write-off ${oldest}`;
  const decision = whenRanked(subject, context.firstSeenMs(subject), context, (): Decision => {
    if (!context.canDecide()) return { kind: 'wait' };
    const span = missedSpan(ticks, cursor.tick, lastStale);
    if (span === undefined) return { kind: 'wait' };
    const catchUp = catchUpTicks(job, ticks, span, newest > lastStale);
    const isCaughtUp = span.excluded !== undefined && span.count === catchUp.length;
    return {
      kind: 'write-off',
      span,
      outcome: isCaughtUp ? 'skipped' : 'missed',
      reason: isCaughtUp ? exclusionOf(ticks, span) : 'no worker started it in time',
      catchUp,
      calendars: ticks.guards,
    };
  });
  return { stale: true, decision };
}

/** What the misfire policy still runs of a span; nothing of `latest` when a fresh tick follows it. */
function catchUpTicks(
  job: Job,
  { allowed }: JobTicks,
  span: Span,
  freshFollows: boolean,
): readonly number[] {
  switch (job.misfire) {
    case 'skip':
      return [];
    case 'latest':
      return freshFollows ? [] : [span.toTick];
    case 'all':
      return latestTicks(allowed, span, job.misfireLimit ?? 1);
  }
}

function decideTick({ part, entry: { job }, ticks, context }: DueTicks, tick: number): Decision {
  const calendars = ticks.guards;
  if (isFull(part, job)) {
    const holders = holdersOf(part);
    // A dead holder's tick stays claimable until that holder is settled.
    const isDead = ({ sessionId }: Holder): boolean =>
      sessionId !== undefined && !context.sessionAlive(sessionId);
    if (holders.some(isDead)) return { kind: 'wait' };
    const subject = `overlap ${tick}`;
    return whenRanked(subject, context.firstSeenMs(subject), context, () => {
      if (!context.canDecide()) return { kind: 'wait' };
      return { ...decideOverlap(part, job, holders), tick, holders, calendars };
    });
  }
  return whenRanked(String(tick), tick, context, () =>
    claimOr(context.canClaim(), { kind: 'claim-tick', tick, calendars }),
  );
}

function holdersOf({ fires, unreadable }: JobParts): Holder[] {
  return [
    ...[...fires].map(([fireId, { value, modRevision }]) => ({
      fireId,
      runId: value.runId,
      modRevision,
      sessionId: value.session,
    })),
    ...[...unreadable.fire].map(([fireId, { modRevision }]) => ({
      fireId,
      runId: '',
      modRevision,
      sessionId: undefined,
    })),
  ];
}

type Overlap =
  | { readonly kind: 'refuse-overlap'; readonly reason: string }
  | { readonly kind: 'queue-tick'; readonly replace: boolean };

function decideOverlap(part: JobParts, job: Job, holders: readonly Holder[]): Overlap {
  const refuse = (reason: string): Overlap => ({ kind: 'refuse-overlap', reason });
  // Nobody can end it, or say when it ends: so nothing waits for it.
  const [unreadable] = part.unreadable.fire.values();
  if (unreadable !== undefined) return refuse(`a run may be open: ${unreadableText(unreadable)}`);
  if (job.concurrency === 'allow') return refuse(`${holders.length} runs are still open`);
  if (job.concurrency === 'forbid') return refuse('an earlier run is still open');
  const replace = job.concurrency === 'replace';
  const waiting = [...part.triggers.keys(), ...part.unreadable.trigger.keys()];
  // A retry that waits for its hour is no reason to let the earlier run go on.
  if (replace ? waiting.some(isQueuedTrigger) : waiting.length > 0) {
    return refuse('another fire is waiting already');
  }
  return { kind: 'queue-tick', replace };
}
