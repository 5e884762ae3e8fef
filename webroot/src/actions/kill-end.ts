/**
 * How an order to kill ended, as the run that it was given against tells it: one that is over says
 * how it ended; one that is open without an order was never reached, as orders run out.
 */
import type { Outcome } from '../../../shared/history/records.ts';

/** The record of an end may take this long to come to the history; a store that is down, longer. */
const recordWithinMs = 12_000;
/** Another master behind the same proxy may see the order a little later. */
const believedAfterMs = 3000;

/** What of a run is looked at; `gone` when there is none of that id, undefined when nobody said. */
export type Sight =
  | {
      readonly open: boolean;
      readonly outcome?: Outcome;
      readonly worker?: string;
      readonly order?: unknown;
    }
  | 'gone'
  | undefined;

export type KillEnd =
  /** `killed`, or how it had ended before the order came; undefined: its record is on the way. */
  | { readonly kind: 'over'; readonly outcome: Outcome | undefined }
  | { readonly kind: 'unanswered'; readonly worker: string };

/** Answers the end once it is known; to be told each look with the time of it. */
export function createKillJudge(
  startedMs: number,
): (sight: Sight, nowMs: number) => KillEnd | undefined {
  let orderedMs = startedMs;
  let openMs = startedMs;
  return (sight, nowMs) => {
    if (sight === undefined) return undefined;
    if (sight === 'gone') return { kind: 'over', outcome: undefined };
    if (sight.outcome !== undefined) return { kind: 'over', outcome: sight.outcome };
    if (!sight.open || sight.order !== undefined) orderedMs = nowMs;
    if (sight.open) openMs = nowMs;
    if (nowMs - orderedMs > believedAfterMs) {
      return { kind: 'unanswered', worker: sight.worker ?? '' };
    }
    return nowMs - openMs > recordWithinMs ? { kind: 'over', outcome: undefined } : undefined;
  };
}

/** What the ends of all the runs come to. */
export interface KillTally {
  readonly killed: number;
  /** Ended otherwise: by themselves, or lost with their worker. */
  readonly others: number;
  /** Of one of these others, when its record is there. */
  readonly otherOutcome: Outcome | undefined;
  /** Workers that did not carry it out. */
  readonly silent: readonly string[];
}

export function tallyOf(ends: readonly KillEnd[]): KillTally {
  const outcomes = ends.flatMap((end) => (end.kind === 'over' ? [end.outcome] : []));
  const others = outcomes.filter((outcome) => outcome !== 'killed');
  return {
    killed: outcomes.length - others.length,
    others: others.length,
    otherOutcome: others.find((outcome) => outcome !== undefined),
    silent: [...new Set(ends.flatMap((end) => (end.kind === 'unanswered' ? [end.worker] : [])))],
  };
}
