/**
 * The decision: what one job needs next, from the view alone. Pure; the order is the protocol's:
 * adopt, write-off, due triggers, then the oldest due tick. It only proposes: the transaction that
 * carries it out guards everything that was assumed here.
 */
import type { Compare } from '../../shared/etcd/port.ts';
import type { Job } from '../../shared/job/definition.ts';
import { runLimit } from '../../shared/job/limits.ts';
import { scheduleTextOf, type JobEntry } from '../../shared/mesh/job-entry.ts';
import type { Held, JobParts } from '../../shared/mesh/view.ts';
import { deletedSchedule, isCounting, type Cursor } from '../../shared/protocol/cursor.ts';
import { latestTicks, missedSpan, type Span } from '../../shared/protocol/missed-span.ts';
import type { Holder } from '../../shared/protocol/not-run.ts';
import type { TriggerValue } from '../../shared/protocol/values.ts';

/** A tick with a newer one due is given up after this long; any tick after the start deadline. */
const staleTickMs = 2_000;

export interface DecideContext {
  readonly nowMs: number;
  /** A free slot, an alive session, a verified clock, an accepting spool, not draining. */
  canClaim(): boolean;
  /** Everything of canClaim but the slot. */
  canDecide(): boolean;
  sessionAlive(sessionId: string): boolean;
  /** Rank delay of this worker for `subject` of the job, ms; `avoid` is a worker that goes last. */
  delayMs(subject: string, avoid?: string): number;
  /** When this worker first saw that `subject` is so; wall ms. */
  firstSeenMs(subject: string): number;
}

export type Decision =
  /** Nothing to do before `untilMs` (wall), or before something changes. */
  | { readonly kind: 'wait'; readonly untilMs?: number; readonly wantsSlot?: boolean }
  | { readonly kind: 'adopt'; readonly schedule: string }
  | {
      readonly kind: 'write-off';
      readonly span: Span;
      readonly reason: string;
      /** Ticks of the span that the misfire policy runs later. */
      readonly catchUp: readonly number[];
    }
  | {
      readonly kind: 'refuse-overlap';
      readonly tick: number;
      readonly holders: readonly Holder[];
      readonly reason: string;
    }
  /** The tick becomes a trigger that waits; `replace` kills the holders. */
  | {
      readonly kind: 'queue-tick';
      readonly tick: number;
      readonly holders: readonly Holder[];
      readonly replace: boolean;
    }
  | { readonly kind: 'claim-tick'; readonly tick: number }
  | { readonly kind: 'claim-trigger'; readonly triggerId: string }
  | {
      readonly kind: 'refuse-trigger';
      readonly triggerId: string;
      readonly reason: string;
      readonly because: (jobKey: string) => readonly Compare[];
    };

export function decide(part: JobParts, context: DecideContext): Decision {
  // Workers of a newer version schedule it; this one leaves its cursor and triggers alone.
  if (part.entry?.ok === false && part.entry.newer) return { kind: 'wait' };
  const adoption = decideAdoption(part, context);
  if (adoption !== undefined) return adoption;
  const { entry } = part;
  const cursor = part.cursor?.cursor;
  const trigger = decideTriggers(part, context);
  if (entry?.ok !== true || cursor === undefined || !isCounting(cursor)) {
    return trigger ?? { kind: 'wait' };
  }
  const tick = entry.schedule.next(cursor.tick);
  if (tick === undefined) return trigger ?? { kind: 'wait' };
  if (tick > context.nowMs) return earliest(trigger, { kind: 'wait', untilMs: tick });
  const { stale, decision } = decideWriteOff(entry, cursor, tick, context);
  if (decision.kind === 'write-off') return decision;
  if (trigger !== undefined && trigger.kind !== 'wait') return trigger;
  // A stale tick is never claimed, not even by one who waits for its turn to write it off.
  if (stale) return earliest(trigger, decision);
  return earliest(trigger, earliest(decision, decideTick(part, entry, tick, context)));
}

function decideAdoption(part: JobParts, context: DecideContext): Decision | undefined {
  const { entry, cursor } = part;
  if (entry === undefined && cursor === undefined) return undefined;
  const wanted = entry === undefined ? deletedSchedule : scheduleTextOf(entry);
  if (cursor?.cursor?.schedule === wanted) return undefined;
  const subject = `adopt ${entry?.modRevision ?? 0} ${cursor?.modRevision ?? 0}`;
  return whenRanked(subject, context.firstSeenMs(subject), context, () =>
    context.canDecide() ? { kind: 'adopt', schedule: wanted } : { kind: 'wait' },
  );
}

function decideWriteOff(
  entry: JobEntry & { ok: true },
  cursor: Cursor,
  oldest: number,
  context: DecideContext,
): { readonly stale: boolean; readonly decision: Decision } {
  const { nowMs } = context;
  const { schedule, job } = entry;
  const startDeadlineMs = job.startDeadlineSeconds * 1_000;
  const newest = schedule.latest(nowMs, cursor.tick) ?? oldest;
  const lastStale =
    newest <= nowMs - startDeadlineMs
      ? newest
      : Math.max(
          oldest <= nowMs - startDeadlineMs ? oldest : 0,
          newest > oldest
            ? (schedule.latest(Math.min(nowMs - staleTickMs, newest - 1), cursor.tick) ?? 0)
            : 0,
        );
  if (lastStale === 0) {
    const staleAt = Math.min(
      oldest + startDeadlineMs,
      Math.max(oldest + staleTickMs, schedule.next(oldest) ?? Number.MAX_SAFE_INTEGER),
    );
    return { stale: false, decision: { kind: 'wait', untilMs: staleAt } };
  }
  const subject = `write-off ${oldest}`;
  const decision = whenRanked(subject, context.firstSeenMs(subject), context, () => {
    if (!context.canDecide()) return { kind: 'wait' };
    const span = missedSpan(schedule, cursor.tick, lastStale);
    if (span === undefined) return { kind: 'wait' };
    return {
      kind: 'write-off',
      span,
      reason: 'no worker started it in time',
      catchUp: catchUpTicks(entry, span, newest > lastStale),
    };
  });
  return { stale: true, decision };
}

/** What the misfire policy still runs of a span; nothing of `latest` when a fresh tick follows it. */
function catchUpTicks(
  { schedule, job }: JobEntry & { ok: true },
  span: Span,
  freshFollows: boolean,
): readonly number[] {
  switch (job.misfire) {
    case 'skip':
      return [];
    case 'latest':
      return freshFollows ? [] : [span.toTick];
    case 'all':
      return latestTicks(schedule, span, job.misfireLimit ?? 1);
  }
}

function decideTick(
  part: JobParts,
  entry: JobEntry & { ok: true },
  tick: number,
  context: DecideContext,
): Decision {
  if (isFull(part, entry.job)) {
    const holders = [...part.fires].map(([fireId, fire]) => ({
      fireId,
      runId: fire.value.runId,
      modRevision: fire.modRevision,
      sessionId: fire.value.session,
    }));
    // A dead holder's tick stays claimable until that holder is settled.
    if (!holders.every(({ sessionId }) => context.sessionAlive(sessionId))) return { kind: 'wait' };
    const subject = `overlap ${tick}`;
    return whenRanked(subject, context.firstSeenMs(subject), context, () =>
      context.canDecide() ? decideOverlap(part, entry.job, tick, holders) : { kind: 'wait' },
    );
  }
  return whenRanked(String(tick), tick, context, () =>
    claimOr(context, { kind: 'claim-tick', tick }),
  );
}

function decideOverlap(
  part: JobParts,
  job: Job,
  tick: number,
  holders: readonly Holder[],
): Decision {
  const refuse = (reason: string): Decision => ({ kind: 'refuse-overlap', tick, holders, reason });
  if (job.concurrency === 'allow') return refuse(`${holders.length} runs are still open`);
  if (job.concurrency === 'forbid') return refuse('an earlier run is still open');
  if (part.triggers.size > 0) return refuse('another fire is waiting already');
  return { kind: 'queue-tick', tick, holders, replace: job.concurrency === 'replace' };
}

function isFull(part: JobParts, job: Job): boolean {
  const limit = runLimit(job);
  return limit !== undefined && part.fires.size >= limit;
}

function decideTriggers(part: JobParts, context: DecideContext): Decision | undefined {
  let found: Decision | undefined;
  for (const [triggerId, trigger] of byNotBefore(part.triggers)) {
    const next = decideTrigger(part, triggerId, trigger, context);
    if (next.kind !== 'wait') return next;
    found = found === undefined ? next : earliest(found, next);
  }
  return found;
}

function decideTrigger(
  part: JobParts,
  triggerId: string,
  trigger: Held<TriggerValue>,
  context: DecideContext,
): Decision {
  const { value } = trigger;
  const refusal = refusalOf(part, value, context.nowMs);
  if (refusal !== undefined) {
    const subject = `refuse ${triggerId}`;
    return whenRanked(subject, context.firstSeenMs(subject), context, () =>
      context.canDecide() ? { kind: 'refuse-trigger', triggerId, ...refusal } : { kind: 'wait' },
    );
  }
  if (value.notBefore > context.nowMs) return { kind: 'wait', untilMs: value.notBefore };
  if (part.entry?.ok === true && isFull(part, part.entry.job)) {
    return { kind: 'wait', untilMs: value.expires };
  }
  return whenRanked(
    triggerId,
    value.notBefore,
    context,
    () => claimOr(context, { kind: 'claim-trigger', triggerId }, value.expires),
    value.avoid,
  );
}

interface Refusal {
  readonly reason: string;
  readonly because: (jobKey: string) => readonly Compare[];
}

function refusalOf(part: JobParts, trigger: TriggerValue, nowMs: number): Refusal | undefined {
  const { entry } = part;
  const unchanged = (jobKey: string): Compare[] => [
    { key: jobKey, target: 'mod', op: '=', value: entry?.modRevision ?? 0 },
  ];
  if (entry === undefined) return { reason: 'the job was deleted', because: unchanged };
  if (entry.createRevision !== trigger.jobCreate) {
    return { reason: 'the job was deleted and made anew', because: unchanged };
  }
  if (!entry.ok) return { reason: 'the definition is not valid', because: unchanged };
  if (!entry.job.enabled && trigger.cause !== 'manual') {
    return { reason: 'the job is paused', because: unchanged };
  }
  if (trigger.expires <= nowMs) {
    return { reason: 'it could not start before it expired', because: () => [] };
  }
  return undefined;
}

function byNotBefore(triggers: JobParts['triggers']): [string, Held<TriggerValue>][] {
  if (triggers.size < 2) return [...triggers];
  return [...triggers].toSorted(
    ([idA, a], [idB, b]) => a.value.notBefore - b.value.notBefore || (idA < idB ? -1 : 1),
  );
}

function claimOr(context: DecideContext, claim: Decision, untilMs?: number): Decision {
  if (context.canClaim()) return claim;
  return { kind: 'wait', wantsSlot: true, ...(untilMs === undefined ? {} : { untilMs }) };
}

function whenRanked(
  subject: string,
  baseMs: number,
  context: DecideContext,
  act: () => Decision,
  avoid?: string,
): Decision {
  const atMs = baseMs + context.delayMs(subject, avoid);
  return context.nowMs < atMs ? { kind: 'wait', untilMs: atMs } : act();
}

/** Of two waits the one that ends first; of a wait and an action, the action. */
function earliest(a: Decision | undefined, b: Decision): Decision {
  if (a?.kind !== 'wait') return a ?? b;
  if (b.kind !== 'wait') return b;
  const untilMs = Math.min(a.untilMs ?? Infinity, b.untilMs ?? Infinity);
  return {
    kind: 'wait',
    ...(untilMs === Infinity ? {} : { untilMs }),
    ...(a.wantsSlot === true || b.wantsSlot === true ? { wantsSlot: true } : {}),
  };
}
