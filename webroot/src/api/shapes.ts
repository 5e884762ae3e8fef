/**
 * What the API answers. Rows, jobs and outcomes are the master's own types; only the envelopes
 * around them are written here.
 */
import type { FieldProblem } from '../../../shared/errors.ts';
import type { Cause, HistoryRow, Outcome, RanOutcome } from '../../../shared/history/records.ts';
import type { Calendar } from '../../../shared/calendar/definition.ts';
import type { ExcludedTick } from '../../../shared/calendar/preview.ts';
import type { Job } from '../../../shared/job/definition.ts';
import type { PreviewTick } from '../../../shared/schedule/schedule.ts';

export interface FieldError {
  /** JSON pointer into the body, or the name of a query parameter. */
  readonly pointer: string;
  readonly message: string;
  readonly expected: string;
  readonly got: string;
}

export type RowBrief = Pick<
  HistoryRow,
  'id' | 'kind' | 'outcome' | 'tick' | 'startedAt' | 'endedAt' | 'reason'
>;

export interface JobState {
  readonly outcome: RanOutcome;
  readonly tick: number;
  readonly runId: string;
  readonly endedAt: number;
  readonly startedAt?: number;
  readonly worker?: string;
  readonly exitCode?: number;
  readonly reason?: string;
}

export interface JobListItem {
  readonly name: string;
  readonly group: string;
  readonly description: string;
  readonly command: string;
  readonly cronExpr: string;
  readonly timezone: string;
  readonly calendars: readonly string[];
  readonly enabled: boolean;
  readonly concurrency: Job['concurrency'];
  readonly scheduleText: string;
  readonly nextTick?: number;
  readonly running: number;
  readonly state?: JobState;
  readonly quarantined?: readonly FieldProblem[];
  /** Why it cannot do its work until somebody looks at it; mostly none. */
  readonly attention: readonly string[];
  readonly revision: number;
  readonly createdRevision: number;
  readonly lastRuns: readonly RowBrief[];
}

export interface FacetValue {
  readonly value: string;
  readonly count: number;
}

export interface JobList {
  readonly items: readonly JobListItem[];
  readonly nextCursor?: string;
  readonly total: number;
  readonly facets: { readonly groups: readonly FacetValue[] };
}

/** An order to kill that stands against an open run; it goes with the run. */
export interface StandingOrder {
  readonly orderId: string;
  readonly by?: string;
  readonly at?: number;
  readonly graceSeconds?: number;
  readonly workerAlive: boolean;
}

export interface KillOrder {
  readonly orderId: string;
  /** That were open when it was given. */
  readonly runs: readonly string[];
}

/** What the workers answered to an order to kill. */
export interface OrderAnswer {
  readonly orderId: string;
  readonly state: 'waiting' | 'killing' | 'done' | 'nothing';
  readonly reason?: string;
  readonly runs: readonly {
    readonly runId: string;
    readonly worker: string;
    /** Absent: not known, or not yet. */
    readonly outcome?: RanOutcome;
  }[];
}

/** A run that is under way, as its lock says. */
export interface OpenRun {
  readonly runId: string;
  readonly worker: string;
  readonly tick: number;
  readonly attempt: number;
  readonly cause: Cause;
  readonly fence: number;
  readonly order?: StandingOrder;
}

export interface JobDetail {
  readonly job?: Job;
  readonly revision: number;
  readonly createdRevision: number;
  readonly scheduleText: string;
  readonly nextTicks: readonly number[];
  readonly running: readonly OpenRun[];
  readonly state?: JobState;
  /** Ticks that calendars pass over, up to the last of nextTicks; at most 100. */
  readonly excluded: readonly ExcludedTick[];
  readonly quarantined?: readonly FieldProblem[];
  readonly attention: readonly string[];
  /** The text that stands in etcd, when it is not a valid job. */
  readonly raw?: string;
}

export interface SavedJob {
  readonly job: Job;
  readonly revision: number;
}

export interface DryRun {
  readonly valid: true;
  readonly job: Job;
  readonly changes: readonly {
    readonly field: string;
    readonly before?: unknown;
    readonly after?: unknown;
  }[];
}

export interface RunList {
  readonly items: readonly HistoryRow[];
  readonly nextCursor?: string;
}

export type RunDetail = HistoryRow & {
  readonly open: boolean;
  readonly order?: StandingOrder;
};

export type StateCounts = Readonly<Partial<Record<Outcome | 'running', number>>>;

export interface DayStats {
  /** YYYY-MM-DD, in the zone that was asked for. */
  readonly day: string;
  readonly counts: StateCounts;
  /** failed, timed-out and lost. */
  readonly failures: number;
  /** 0 to 1; absent when no run ended. */
  readonly successRate?: number;
}

export interface DailyStats {
  readonly days: readonly DayStats[];
}

export interface WorkerItem {
  readonly id: string;
  readonly host: string;
  readonly version: string;
  readonly pid: number;
  readonly slots: number;
  readonly running: number;
  readonly load: readonly number[];
  readonly clockOffsetMs?: number;
  readonly state: 'ready' | 'draining' | 'blocked';
  readonly reasons: readonly string[];
  /** History that is not in the store yet. */
  readonly spool: {
    readonly pendingRecords: number;
    readonly pendingBytes: number;
    /** Refused by the store, set aside on the worker's disk. */
    readonly rejectedRecords: number;
    /** Why history is not stored now. */
    readonly trouble?: string;
  };
  readonly startedAt: number;
  readonly beatAt: number;
  readonly session: string;
}

export interface WorkerList {
  readonly items: readonly WorkerItem[];
}

export interface SchedulePreview {
  readonly canonical: string;
  readonly scheduleText: string;
  readonly kind: 'fixed' | 'interval';
  readonly ticks: readonly PreviewTick[];
  /** Ticks that calendars pass over, up to the last of `ticks`; at most 100. */
  readonly excluded: readonly ExcludedTick[];
}

export interface CalendarItem {
  readonly name: string;
  readonly description: string;
  /** Absent when it is not valid. */
  readonly mode?: Calendar['mode'];
  readonly dates: readonly string[];
  readonly revision: number;
  /** Jobs that name it. */
  readonly usedBy: number;
  readonly problems?: readonly FieldProblem[];
}

export interface CalendarList {
  readonly items: readonly CalendarItem[];
  readonly total: number;
  /** Named by jobs, but not there. */
  readonly missing: readonly { readonly name: string; readonly usedBy: number }[];
}

export interface CalendarDetail {
  readonly calendar?: Calendar;
  readonly revision: number;
  readonly createdRevision: number;
  readonly usedBy: number;
  /** The first 100 of the jobs that name it. */
  readonly jobs: readonly string[];
  readonly problems?: readonly FieldProblem[];
  /** The text that stands in etcd, when it is not valid. */
  readonly raw?: string;
}

export interface SavedCalendar {
  readonly calendar: Calendar;
  readonly revision: number;
}

export interface Overview {
  readonly jobs: {
    readonly total: number;
    readonly paused: number;
    readonly quarantined: number;
    /** Their last run did not succeed. */
    readonly failing: number;
    readonly attention: number;
  };
  readonly running: number;
  readonly workers: { readonly ready: number; readonly draining: number; readonly blocked: number };
  readonly etcd: 'ok' | 'stale';
  readonly etcdSince: number;
  readonly store: 'ok' | 'down';
  /** The concerns in English, for other clients; the console says them itself. */
  readonly notes: readonly string[];
}

/** One mesh of several that this master serves. */
export interface CellItem {
  readonly name: string;
  readonly prefix: string;
  readonly jobs: number;
  readonly running: number;
  readonly etcd: 'ok' | 'stale';
  readonly etcdSince: number;
}

export interface CellList {
  readonly items: readonly CellItem[];
}
