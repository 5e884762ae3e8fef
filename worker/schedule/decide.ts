/**
 * The decision: what one job needs next, from the view alone. Pure; the order is the protocol's:
 * adopt, write-off and what the calendars exclude, due triggers, then the oldest due tick. It only
 * proposes: the transaction that carries it out guards everything that was assumed here.
 */
import type { Compare } from '../../shared/etcd/port.ts';
import { scheduleTextOf, ticksOf } from '../../shared/mesh/job-entry.ts';
import { unreadableText } from '../../shared/mesh/unreadable.ts';
import type { Held, JobParts } from '../../shared/mesh/view.ts';
import { deletedSchedule, isCounting } from '../../shared/protocol/cursor.ts';
import type { TriggerValue } from '../../shared/protocol/values.ts';
import { decideTicks } from './decide-ticks.ts';
import {
  claimOr,
  earliest,
  isFull,
  whenRanked,
  type DecideContext,
  type Decision,
} from './decision.ts';

/** A fire and its slot go in one transaction; this is only so that nobody hurries. */
const orphanSlotMs = 3_000;

/** What the job needs at `context.nowMs` (wall, epoch ms); throws nothing. */
export function decide(part: JobParts, context: DecideContext): Decision {
  // Workers of a newer version schedule it; this one leaves its cursor and triggers alone.
  if (part.entry?.ok === false && part.entry.newer) return { kind: 'wait' };
  const adoption = decideAdoption(part, context);
  if (adoption !== undefined) return adoption;
  const slot = decideSlots(part, context);
  return slot === undefined
    ? decideFires(part, context)
    : earliest(slot, decideFires(part, context));
}

function decideFires(part: JobParts, context: DecideContext): Decision {
  const { entry } = part;
  const cursor = part.cursor?.cursor;
  const trigger = decideTriggers(part, context);
  if (entry?.ok !== true || cursor === undefined || !isCounting(cursor)) {
    return trigger ?? { kind: 'wait' };
  }
  const ticks = ticksOf(entry, context.calendars);
  // Only workers of a newer version know what such a calendar allows.
  if (ticks.hasNewer) return trigger ?? { kind: 'wait' };
  const { first, later } = decideTicks({ part, entry, cursor, ticks, context });
  if (first.kind !== 'wait') return first;
  if (trigger !== undefined && trigger.kind !== 'wait') return trigger;
  return earliest(trigger, later === undefined ? first : earliest(first, later()));
}

function decideAdoption(part: JobParts, context: DecideContext): Decision | undefined {
  const { entry, cursor } = part;
  if (entry === undefined && cursor === undefined) return undefined;
  const wanted = entry === undefined ? deletedSchedule : scheduleTextOf(entry);
  if (cursor?.cursor?.schedule === wanted && !isOfFormerLife(part)) return undefined;
  const subject = `adopt ${entry?.modRevision ?? 0} ${cursor?.modRevision ?? 0}`;
  return whenRanked(subject, context.firstSeenMs(subject), context, () =>
    context.canDecide() ? { kind: 'adopt', schedule: wanted } : { kind: 'wait' },
  );
}

/** Made anew by hand since the cursor was last put: what that counts is of the job that was deleted. */
export function isOfFormerLife({ entry, cursor }: JobParts): boolean {
  return entry !== undefined && cursor !== undefined && cursor.modRevision < entry.createRevision;
}

/** A slot whose fire is gone without it: it would be asked for, and not be free, for ever. */
function decideSlots(
  { slots, fires, unreadable }: JobParts,
  context: DecideContext,
): Decision | undefined {
  if (slots.size === 0 || unreadable.fire.size > 0) return undefined;
  const holders = new Set([...fires.values()].map(({ value }) => value.runId));
  for (const [slot, { value, modRevision }] of slots) {
    if (holders.has(value)) continue;
    const subject = `slot ${slot} ${modRevision}`;
    const sinceMs = context.firstSeenMs(subject) + orphanSlotMs;
    return whenRanked(subject, sinceMs, context, () =>
      context.canDecide() ? { kind: 'free-slot', slot, modRevision } : { kind: 'wait' },
    );
  }
  return undefined;
}

function decideTriggers(part: JobParts, context: DecideContext): Decision | undefined {
  let found = decideUnreadable(part, context);
  if (found !== undefined && found.kind !== 'wait') return found;
  const overtaken = overtakenCatchUps(part);
  for (const [triggerId, trigger] of byNotBefore(part.triggers)) {
    const next = decideTrigger(part, triggerId, trigger, context, overtaken);
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
  overtaken: ReadonlySet<string>,
): Decision {
  const { value } = trigger;
  const refusal = refusalOf(part, value, context.nowMs, overtaken.has(triggerId));
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
    () => {
      const can = value.cause === 'catch-up' ? context.canCatchUp() : context.canClaim();
      return claimOr(can, { kind: 'claim-trigger', triggerId }, value.expires);
    },
    value.avoid,
  );
}

/** A trigger that nobody can read would wait for ever, and keep others from being queued. */
function decideUnreadable(part: JobParts, context: DecideContext): Decision | undefined {
  for (const [triggerId, unreadable] of part.unreadable.trigger) {
    if (unreadable.isNewer) continue;
    const subject = `refuse ${triggerId}`;
    const reason = unreadableText(unreadable);
    return whenRanked(subject, context.firstSeenMs(subject), context, () =>
      context.canDecide()
        ? { kind: 'refuse-trigger', triggerId, reason, because: () => [] }
        : { kind: 'wait' },
    );
  }
  return undefined;
}

interface Refusal {
  readonly reason: string;
  readonly because: (jobKey: string) => readonly Compare[];
}

function refusalOf(
  part: JobParts,
  trigger: TriggerValue,
  nowMs: number,
  isOvertaken: boolean,
): Refusal | undefined {
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
    const reason = isFull(part, entry.job)
      ? 'it waited for an earlier run until it expired'
      : 'it could not start before it expired';
    return { reason, because: () => [] };
  }
  if (isOvertaken) {
    return { reason: 'ticks missed later take its place', because: unchanged };
  }
  // The attempt before it may have been put under a definition that allowed more.
  if (trigger.cause === 'retry' && trigger.attempt > entry.job.retries.max + 1) {
    return { reason: 'the job is not tried so often any more', because: unchanged };
  }
  return undefined;
}

/**
 * Catch-ups beyond what the misfire policy runs: where nothing can start for hours, each tick would
 * leave another one, and all of them would start when something can.
 */
function overtakenCatchUps({ entry, triggers }: JobParts): ReadonlySet<string> {
  if (entry?.ok !== true || triggers.size < 2) return new Set();
  const limit = entry.job.misfireLimit ?? 1;
  const newestFirst = [...triggers]
    .filter(([, { value }]) => value.cause === 'catch-up')
    .toSorted(([, a], [, b]) => b.value.tick - a.value.tick);
  return new Set(newestFirst.slice(limit).map(([triggerId]) => triggerId));
}

function byNotBefore(triggers: JobParts['triggers']): [string, Held<TriggerValue>][] {
  if (triggers.size < 2) return [...triggers];
  return [...triggers].toSorted(
    ([idA, a], [idB, b]) => a.value.notBefore - b.value.notBefore || (idA < idB ? -1 : 1),
  );
}
