/**
 * What the API answers, one zod schema a shape: the source of the handlers' types and of the
 * OpenAPI document, and what the tests hold every real answer against. Times are epoch ms.
 */
import { z } from 'zod';
import { causes, outcomes, ranOutcomes, type HistoryRow } from '../../shared/history/records.ts';
import { calendarSchema } from '../../shared/calendar/definition.ts';
import { jobFieldsSchema } from '../../shared/job/definition.ts';

export const epochMs = z.int();
const revision = z.int().describe("Revision of the definition; in quotes it is the job's ETag.");
const count = z.int().min(0);

/** A shape as handlers give it: nothing in it is written to. */
export type Shape<S extends z.ZodType> = Immutable<z.output<S>>;
type Immutable<T> = T extends object ? { readonly [K in keyof T]: Immutable<T[K]> } : T;

export const jobShape = jobFieldsSchema.meta({ id: 'Job', description: 'A whole definition.' });
export const jobInputShape = jobFieldsSchema
  .partial({ name: true })
  .meta({ id: 'JobInput', description: 'What a person writes: command and cronExpr are enough.' });

const calendarRevision = z.int().describe('Revision of the calendar; in quotes it is its ETag.');

export const excludedTickShape = z
  .strictObject({ tick: epochMs, calendar: z.string(), reason: z.string() })
  .meta({ id: 'ExcludedTick', description: 'A tick that does not fire, and why.' });

const attention = z
  .array(z.string())
  .describe('Why the job cannot do its work until somebody looks at it; mostly none.');

export const fieldProblemShape = z
  .strictObject({ field: z.string(), message: z.string(), expected: z.string(), got: z.string() })
  .meta({ id: 'FieldProblem', description: 'One thing that is wrong with a stored definition.' });

export const stateShape = z
  .strictObject({
    outcome: z.enum(ranOutcomes),
    tick: epochMs,
    runId: z.string(),
    worker: z.string(),
    endedAt: epochMs,
    startedAt: epochMs.exactOptional(),
    exitCode: z.int().exactOptional(),
    reason: z.string().exactOptional(),
  })
  .meta({ id: 'JobState', description: 'How the newest settled run of the job ended.' });

export const runBriefShape = z
  .strictObject({
    id: z.string(),
    kind: z.enum(['run', 'not-run']),
    outcome: z.enum(outcomes).exactOptional(),
    tick: epochMs,
    startedAt: epochMs.exactOptional(),
    endedAt: epochMs.exactOptional(),
    reason: z.string().exactOptional(),
  })
  .meta({ id: 'RunBrief' });

export const jobListItemShape = z
  .strictObject({
    name: z.string(),
    group: z.string(),
    description: z.string(),
    command: z.string().describe('The first 200 characters.'),
    cronExpr: z.string(),
    timezone: z.string(),
    calendars: z.array(z.string()),
    enabled: z.boolean(),
    concurrency: jobFieldsSchema.shape.concurrency.unwrap(),
    scheduleText: z.string().describe('The schedule in words.'),
    nextTick: epochMs.exactOptional(),
    running: count,
    state: stateShape.exactOptional(),
    quarantined: z.array(fieldProblemShape).exactOptional(),
    attention,
    revision,
    createdRevision: revision,
    lastRuns: z.array(runBriefShape).describe('Newest first.'),
  })
  .meta({ id: 'JobListItem' });

export const jobListShape = z
  .strictObject({
    items: z.array(jobListItemShape),
    nextCursor: z.string().exactOptional(),
    total: count,
    facets: z.strictObject({
      groups: z.array(z.strictObject({ value: z.string(), count })),
    }),
    stale: z.boolean().describe('True while this master cannot hear etcd.'),
    storeDown: z.boolean().describe('True when history could not be asked: lastRuns are empty.'),
  })
  .meta({ id: 'JobList' });

export const standingOrderShape = z
  .strictObject({
    orderId: z.string().describe('The revision of the order.'),
    by: z.string().exactOptional(),
    at: epochMs.exactOptional(),
    graceSeconds: z.number().exactOptional().describe("Absent: the job's own."),
    workerAlive: z.boolean().describe('The session of the worker that must carry it out is alive.'),
  })
  .meta({
    id: 'StandingOrder',
    description: 'An order to kill that the run has not ended by yet; it goes with the run.',
  });

export const openRunShape = z
  .strictObject({
    runId: z.string(),
    worker: z.string(),
    tick: epochMs,
    attempt: z.int(),
    cause: z.enum(causes),
    fence: z.int(),
    order: standingOrderShape.exactOptional(),
  })
  .meta({ id: 'OpenRun', description: 'A run under way, as its open fire says.' });

export const jobDetailShape = z
  .strictObject({
    job: jobShape.exactOptional(),
    revision,
    createdRevision: revision,
    scheduleText: z.string(),
    nextTicks: z.array(epochMs),
    running: z.array(openRunShape),
    state: stateShape.exactOptional(),
    excluded: z
      .array(excludedTickShape)
      .describe('Ticks that calendars pass over, up to the last of nextTicks; at most 100.'),
    quarantined: z.array(fieldProblemShape).exactOptional(),
    attention,
    raw: z.string().exactOptional().describe('What stands in etcd, when it is not a valid job.'),
  })
  .meta({ id: 'JobDetail' });

export const calendarShape = calendarSchema.meta({
  id: 'Calendar',
  description: 'A whole calendar.',
});
export const calendarInputShape = calendarSchema
  .partial({ name: true })
  .meta({ id: 'CalendarInput', description: 'What a person writes: mode and dates are enough.' });

export const calendarListShape = z
  .strictObject({
    items: z.array(
      z.strictObject({
        name: z.string(),
        description: z.string(),
        mode: calendarSchema.shape.mode.exactOptional().describe('Absent when it is not valid.'),
        dates: z.array(z.string()),
        revision: calendarRevision,
        usedBy: count.describe('Jobs that name it.'),
        problems: z.array(fieldProblemShape).exactOptional(),
      }),
    ),
    total: count,
    missing: z
      .array(z.strictObject({ name: z.string(), usedBy: count }))
      .describe('Calendars that jobs name and that are not there.'),
    stale: z.boolean().describe('True while this master cannot hear etcd.'),
  })
  .meta({ id: 'CalendarList' });

export const calendarDetailShape = z
  .strictObject({
    calendar: calendarShape.exactOptional(),
    revision: calendarRevision,
    createdRevision: calendarRevision,
    usedBy: count.describe('Jobs that name it.'),
    jobs: z.array(z.string()).describe('The first 100 of them, by name.'),
    problems: z.array(fieldProblemShape).exactOptional(),
    raw: z.string().exactOptional().describe('What stands in etcd, when it is not valid.'),
  })
  .meta({ id: 'CalendarDetail' });

export const savedCalendarShape = z
  .strictObject({ calendar: calendarShape, revision: calendarRevision })
  .meta({ id: 'SavedCalendar' });

const changesShape = z.array(
  z.strictObject({
    field: z.string().describe('JSON pointer.'),
    before: z.unknown().optional(),
    after: z.unknown().optional(),
  }),
);

export const calendarDryRunShape = z
  .strictObject({ valid: z.literal(true), calendar: calendarShape, changes: changesShape })
  .meta({ id: 'CalendarDryRun' });

export const savedJobShape = z.strictObject({ job: jobShape, revision }).meta({ id: 'SavedJob' });

export const dryRunShape = z
  .strictObject({
    valid: z.literal(true),
    job: jobShape,
    changes: changesShape,
  })
  .meta({ id: 'DryRun' });

export const triggeredShape = z
  .strictObject({ triggerId: z.string(), expiresAt: epochMs })
  .meta({ id: 'Triggered' });

export const killOrderShape = z
  .strictObject({
    orderId: z.string().describe('The revision of the order: it stands against older claims only.'),
    runs: z.array(z.string()).describe('The runs that were open; none: nothing to kill.'),
  })
  .meta({ id: 'KillOrder' });

const runEndShape = z.strictObject({
  outcome: z.enum(ranOutcomes),
  reason: z.string().exactOptional(),
  startedAt: epochMs.exactOptional(),
  endedAt: epochMs,
  exitCode: z.int().exactOptional(),
  signal: z.string().exactOptional(),
  outputBytes: count,
  outputTruncated: z.boolean(),
});

export const rowShape = z
  .strictObject({
    id: z.string(),
    kind: z.enum(['run', 'not-run']),
    job: z.string(),
    group: z.string(),
    cause: z.enum(causes),
    tick: epochMs,
    outcome: z.enum(outcomes).exactOptional().describe('Absent while the run is open.'),
    reason: z.string().exactOptional(),
    fireId: z.string().exactOptional(),
    attempt: z.int().exactOptional(),
    worker: z.string().exactOptional(),
    fence: z.int().exactOptional(),
    command: z.string().exactOptional(),
    by: z.string().exactOptional(),
    startedAt: epochMs.exactOptional(),
    endedAt: epochMs.exactOptional(),
    exitCode: z.int().exactOptional(),
    signal: z.string().exactOptional(),
    outputBytes: count.exactOptional(),
    outputTruncated: z.boolean().exactOptional(),
    outputCut: z
      .literal(true)
      .exactOptional()
      .describe('Its worker vanished: what it wrote after the last stored byte is not known.'),
    fromTick: z.int().exactOptional(),
    count: count.exactOptional(),
    excepted: z
      .array(epochMs)
      .readonly()
      .exactOptional()
      .describe('Ticks of the span that are run later.'),
    excluded: count
      .exactOptional()
      .describe('Ticks of the span that calendars exclude; 10,000: so many or more.'),
    restored: z
      .literal(true)
      .exactOptional()
      .describe(
        'A restored backup of etcd made this row: what ran of a span is in history all the same, and how a lost run ended is not known.',
      ),
    lateResult: runEndShape.exactOptional(),
  })
  .meta({ id: 'HistoryRow', description: 'A run, or a span of fires that did not run.' });
rowShape satisfies z.ZodType<HistoryRow>;

export const runListShape = z
  .strictObject({
    items: z.array(rowShape),
    nextCursor: z.string().exactOptional(),
    storeDown: z.boolean().describe('True when only open fires could be shown.'),
  })
  .meta({ id: 'RunList' });

export const runDetailShape = rowShape
  .extend({
    open: z.boolean().describe('Its fire is open in etcd.'),
    order: standingOrderShape.exactOptional(),
  })
  .meta({ id: 'RunDetail' });

export const outputPageShape = z
  .strictObject({
    items: z.array(
      z.strictObject({
        offset: count,
        stream: z.enum(['stdout', 'stderr']),
        at: epochMs,
        base64: z.base64(),
      }),
    ),
    nextOffset: count,
    ended: z.boolean().describe('There will be no more.'),
  })
  .meta({ id: 'OutputPage' });

export const workerListShape = z
  .strictObject({
    items: z.array(
      z.strictObject({
        id: z.string(),
        host: z.string(),
        version: z.string(),
        pid: z.int(),
        slots: count,
        running: count,
        load: z.array(z.number()),
        clockOffsetMs: z.number().exactOptional(),
        state: z.enum(['ready', 'draining', 'blocked']),
        reasons: z.array(z.string()),
        spool: z
          .strictObject({
            pendingRecords: count,
            pendingBytes: count,
            rejectedRecords: count.describe('Refused by the store; in rejected.jsonl on its disk.'),
            trouble: z.string().exactOptional().describe('Why history is not stored now.'),
          })
          .describe('History that is not in the store yet.'),
        startedAt: epochMs,
        beatAt: epochMs.describe("The worker's wall clock at its last beat."),
        session: z.string(),
      }),
    ),
    stale: z.boolean(),
  })
  .meta({ id: 'WorkerList' });

export const previewShape = z
  .strictObject({
    canonical: z.string(),
    scheduleText: z.string(),
    kind: z.enum(['fixed', 'interval']),
    ticks: z.array(
      z.strictObject({
        tick: epochMs,
        note: z.enum(['moved-out-of-gap', 'once-of-doubled']).exactOptional(),
      }),
    ),
    excluded: z
      .array(excludedTickShape)
      .describe('Ticks that calendars pass over, up to the last of ticks; at most 100.'),
  })
  .meta({ id: 'SchedulePreview' });

export const overviewShape = z
  .strictObject({
    jobs: z.strictObject({
      total: count,
      paused: count,
      quarantined: count,
      failing: count.describe('Their last run did not succeed.'),
      attention: count.describe('They say themselves why, as `attention`.'),
    }),
    running: count,
    workers: z.strictObject({ ready: count, draining: count, blocked: count }),
    etcd: z.enum(['ok', 'stale']),
    etcdSince: epochMs,
    store: z.enum(['ok', 'down']),
    notes: z.array(z.string()).describe('What needs attention, in words.'),
  })
  .meta({ id: 'Overview' });

export const readinessShape = z
  .strictObject({
    status: z.enum(['ready', 'degraded', 'not-ready']),
    checks: z.array(
      z.strictObject({
        name: z.enum(['etcd', 'store', 'view', 'restore']),
        cell: z.string().exactOptional(),
        ok: z.boolean(),
        reason: z.string().exactOptional(),
      }),
    ),
  })
  .meta({ id: 'Readiness' });

export const cellListShape = z
  .strictObject({
    items: z.array(
      z.strictObject({
        name: z.string(),
        prefix: z.string(),
        jobs: count,
        running: count,
        etcd: z.enum(['ok', 'stale']),
        etcdSince: epochMs,
      }),
    ),
  })
  .meta({ id: 'CellList' });
