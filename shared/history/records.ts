/**
 * History as it travels: what a worker spools and a store ingests. Every record can be sent any
 * number of times, in any order, and the store ends up the same: rows merge by id, output chunks by
 * (runId, offset), and `lost` outranks a run's own end, which is then kept beside it as late result.
 * One `lost` does not: that of a fire which a restored backup of etcd showed as open. Nobody knows
 * then how its run ended, so it stands only where no end and no other verdict is stored.
 */
export const ranOutcomes = ['succeeded', 'failed', 'killed', 'timed-out', 'lost'] as const;
export const outcomes = [...ranOutcomes, 'skipped', 'missed'] as const;
export type RanOutcome = (typeof ranOutcomes)[number];
export type Outcome = (typeof outcomes)[number];

/** Why a fire was due. */
export const causes = [
  'tick',
  'manual',
  'catch-up',
  'retry',
  'upstream',
  'delayed',
  'backfill',
] as const;
export type Cause = (typeof causes)[number];

/** What is known of a run from its claim on. Times are epoch ms. */
export interface RunFacts {
  readonly runId: string;
  readonly job: string;
  readonly group: string;
  readonly cause: Cause;
  /** The tick, or for a trigger the time it was asked for. */
  readonly tick: number;
  /** Id of the fire: `t<tick>` or the trigger's id. */
  readonly fireId: string;
  readonly attempt: number;
  readonly worker: string;
  /** Claim revision, also the run's CRON_FENCE. */
  readonly fence: number;
  readonly command: string;
  /** By whom, for triggers. */
  readonly by?: string;
}

export interface RunEnd {
  readonly outcome: RanOutcome;
  /** In words, for people: why killed, why lost, what could not be spawned. */
  readonly reason?: string;
  readonly startedAt?: number;
  readonly endedAt: number;
  readonly exitCode?: number;
  readonly signal?: string;
  /** Bytes the run wrote, kept or not. */
  readonly outputBytes: number;
  readonly outputTruncated: boolean;
}

export type HistoryRecord =
  | { readonly kind: 'run-started'; readonly run: RunFacts; readonly startedAt: number }
  | {
      readonly kind: 'output';
      readonly runId: string;
      readonly job: string;
      readonly stream: 'stdout' | 'stderr';
      /** Position of the first byte in the run's merged output, kept bytes only. */
      readonly offset: number;
      readonly at: number;
      readonly data: Buffer;
    }
  | { readonly kind: 'run-ended'; readonly run: RunFacts; readonly end: RunEnd }
  /** A settlement: somebody else (or the worker itself) gave the run up. */
  | {
      readonly kind: 'run-lost';
      readonly run: RunFacts;
      readonly reason: string;
      readonly at: number;
      /** From a restored backup of etcd: yields to any end that is stored, whenever it comes. */
      readonly restored?: true;
    }
  /** Fires that did not run, one row for a span (fromTick, toTick]; a single fire has count 1. */
  | {
      readonly kind: 'not-run';
      readonly id: string;
      readonly job: string;
      readonly group: string;
      readonly outcome: 'skipped' | 'missed';
      readonly cause: Cause;
      readonly reason: string;
      /** Exclusive; equal to toTick - 1 for a single fire. */
      readonly fromTick: number;
      readonly toTick: number;
      /** Ticks of the span that were not run; absent when that is not known, or too many to count. */
      readonly count?: number;
      /** Ticks in the span that are run later, as catch-ups. */
      readonly excepted?: readonly number[];
      /** Of a missed span: ticks in it that calendars excluded; 10,000 stands for so many or more. */
      readonly excluded?: number;
      /** A restored backup of etcd set the mesh back: what ran of the span is in history. */
      readonly restored?: true;
      readonly schedule: string;
      readonly at: number;
      readonly worker: string;
    };

/** One row of history as the store answers it: a run (ended or not) or fires that did not run. */
export interface HistoryRow {
  /** runId, or the id of a not-run record. */
  readonly id: string;
  readonly kind: 'run' | 'not-run';
  readonly job: string;
  readonly group: string;
  readonly cause: Cause;
  readonly tick: number;
  /** Absent while the run is open. */
  readonly outcome?: Outcome;
  readonly reason?: string;
  readonly fireId?: string;
  readonly attempt?: number;
  readonly worker?: string;
  readonly fence?: number;
  readonly command?: string;
  readonly by?: string;
  readonly startedAt?: number;
  readonly endedAt?: number;
  readonly exitCode?: number;
  readonly signal?: string;
  readonly outputBytes?: number;
  readonly outputTruncated?: boolean;
  /** Its worker vanished, and how much more it wrote is not known. */
  readonly outputCut?: true;
  /** not-run only. */
  readonly fromTick?: number;
  readonly count?: number;
  readonly excepted?: readonly number[];
  readonly excluded?: number;
  /**
   * A restored backup of etcd made this row: what ran of a span is in history all the same, and how a
   * lost run ended is not known.
   */
  readonly restored?: true;
  /** The run's own end, when a `lost` verdict stands against it. */
  readonly lateResult?: RunEnd;
}

export interface OutputChunk {
  readonly offset: number;
  readonly stream: 'stdout' | 'stderr';
  readonly at: number;
  readonly data: Buffer;
}
