/**
 * How an order to kill ended. The workers answer in the order itself; beside it the run that it was
 * given against tells: one that is over says how it ended; one that is open without an order was never
 * reached, as orders run out.
 */
import type { Outcome } from '../../../shared/history/records.ts';
import type { OrderAnswer } from '../api/shapes.ts';

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
  | { readonly kind: 'unanswered'; readonly worker: string }
  /** A worker looked and found nothing that the order could hit. */
  | { readonly kind: 'nothing'; readonly reason: string | undefined };

/** What the answer to an order says of the runs that it hit; an end that is not told is looked for. */
export type Answered =
  | { readonly kind: 'done'; readonly runs: ReadonlyMap<string, KillEnd | undefined> }
  | (KillEnd & { readonly kind: 'nothing' });

/** Undefined while there is no answer, or one to an older order. */
export function readAnswer(answer: OrderAnswer | undefined, orderId: string): Answered | undefined {
  // A later order against the same runs has taken its place.
  if (answer === undefined || Number(answer.orderId) < Number(orderId)) return undefined;
  if (answer.state === 'nothing') return { kind: 'nothing', reason: answer.reason };
  if (answer.state !== 'done') return undefined;
  const ends = answer.runs.map(({ runId, outcome }): [string, KillEnd | undefined] => [
    runId,
    outcome && { kind: 'over', outcome },
  ]);
  return { kind: 'done', runs: new Map(ends) };
}

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
  /** Why there was nothing to kill, in the words of a worker. */
  readonly reason: string | undefined;
}

export function tallyOf(ends: readonly KillEnd[]): KillTally {
  const outcomes = ends.flatMap((end) => (end.kind === 'over' ? [end.outcome] : []));
  const others = outcomes.filter((outcome) => outcome !== 'killed');
  return {
    killed: outcomes.length - others.length,
    others: others.length,
    otherOutcome: others.find((outcome) => outcome !== undefined),
    silent: [...new Set(ends.flatMap((end) => (end.kind === 'unanswered' ? [end.worker] : [])))],
    reason: ends.flatMap((end) => (end.kind === 'nothing' ? (end.reason ?? []) : []))[0],
  };
}
