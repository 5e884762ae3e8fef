/**
 * What a decision may be, what it is made from, and how decisions about one job are weighed against
 * one another.
 */
import type { CalendarMap } from '../../shared/calendar/calendar-entry.ts';
import type { CalendarGuard } from '../../shared/calendar/job-ticks.ts';
import type { Compare } from '../../shared/etcd/port.ts';
import type { Job } from '../../shared/job/definition.ts';
import { runLimit } from '../../shared/job/limits.ts';
import type { JobParts } from '../../shared/mesh/view.ts';
import type { Span } from '../../shared/protocol/missed-span.ts';
import type { Holder } from '../../shared/protocol/not-run.ts';

export interface DecideContext {
  readonly nowMs: number;
  readonly calendars: CalendarMap;
  /** A free slot, an alive session, a verified clock, an accepting spool, not draining. */
  canClaim(): boolean;
  /** As canClaim, and the slots stay free that are kept for what is due now. */
  canCatchUp(): boolean;
  /** Everything of canClaim but the slot. */
  canDecide(): boolean;
  sessionAlive(sessionId: string): boolean;
  /** Rank delay of this worker for `subject` of the job, ms; `avoid` is a worker that goes last. */
  delayMs(subject: string, avoid?: string): number;
  /** When this worker first saw that `subject` is so; wall ms. */
  firstSeenMs(subject: string): number;
}

/** Decisions about ticks are made by calendars as they were seen, and guarded by that. */
interface ByCalendars {
  readonly calendars: readonly CalendarGuard[];
}

export type Decision = Wait | Action;

/** Nothing to do before `untilMs` (wall), or before something changes. */
interface Wait extends InTurn {
  readonly kind: 'wait';
  readonly untilMs?: number;
  readonly wantsSlot?: boolean;
}

interface InTurn {
  /** Other workers come first, and this one then (wall ms): it can wait for what is its own. */
  readonly afterOthersMs?: number;
}

export type Action = InTurn & Deed;

type Deed =
  | { readonly kind: 'adopt'; readonly schedule: string }
  /** Nothing holds the slot any more. */
  | { readonly kind: 'free-slot'; readonly slot: string; readonly modRevision: number }
  | ({
      readonly kind: 'write-off';
      readonly span: Span;
      /** skipped: all that was missed is caught up on, and what is left the calendars exclude. */
      readonly outcome: 'missed' | 'skipped';
      readonly reason: string;
      /** Ticks of the span that the misfire policy runs later. */
      readonly catchUp: readonly number[];
    } & ByCalendars)
  /** All ticks of the span are excluded. */
  | ({ readonly kind: 'skip-excluded'; readonly span: Span; readonly reason: string } & ByCalendars)
  | ({
      readonly kind: 'refuse-overlap';
      readonly tick: number;
      readonly holders: readonly Holder[];
      readonly reason: string;
    } & ByCalendars)
  /** The tick becomes a trigger that waits; `replace` kills the holders. */
  | ({
      readonly kind: 'queue-tick';
      readonly tick: number;
      readonly holders: readonly Holder[];
      readonly replace: boolean;
    } & ByCalendars)
  | ({ readonly kind: 'claim-tick'; readonly tick: number } & ByCalendars)
  | { readonly kind: 'claim-trigger'; readonly triggerId: string }
  | {
      readonly kind: 'refuse-trigger';
      readonly triggerId: string;
      readonly reason: string;
      readonly because: (jobKey: string) => readonly Compare[];
    };

export function isFull(part: JobParts, job: Job): boolean {
  const limit = runLimit(job);
  return limit !== undefined && part.fires.size + part.unreadable.fire.size >= limit;
}

export function claimOr(canClaim: boolean, claim: Decision, untilMs?: number): Decision {
  if (canClaim) return claim;
  return { kind: 'wait', wantsSlot: true, ...(untilMs === undefined ? {} : { untilMs }) };
}

/** Acts when it is this worker's turn, counted from `baseMs`. */
export function whenRanked(
  subject: string,
  baseMs: number,
  context: DecideContext,
  act: () => Decision,
  avoid?: string,
): Decision {
  const delayMs = context.delayMs(subject, avoid);
  const atMs = baseMs + delayMs;
  const decision: Decision = context.nowMs < atMs ? { kind: 'wait', untilMs: atMs } : act();
  return delayMs > 0 ? { ...decision, afterOthersMs: atMs } : decision;
}

/** Of two waits the one that ends first; of a wait and an action, the action. */
export function earliest(a: Decision | undefined, b: Decision): Decision {
  if (a?.kind !== 'wait') return a ?? b;
  if (b.kind !== 'wait') return b;
  const first = (a.untilMs ?? Infinity) < (b.untilMs ?? Infinity) ? a : b;
  return {
    ...first,
    ...(a.wantsSlot === true || b.wantsSlot === true ? { wantsSlot: true } : {}),
  };
}
