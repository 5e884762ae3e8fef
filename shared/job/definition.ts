/**
 * The job definition: one zod schema is the source of its type, its validation at every door (API,
 * etcd by hand, import) and its OpenAPI description. `{"name","command","cronExpr"}` is a complete
 * job; every other field has a default that is safe.
 */
import { z } from 'zod';
import { maxExpressionLength, parseSchedule } from '../schedule/parse-schedule.ts';
import { CronmeshError, renderGot } from '../errors.ts';
import { jobRetentionSchema } from '../history/retention-rule.ts';
import { nameSchema } from './job-name.ts';

const maxCommandBytes = 64 * 1024;
const maxCalendars = 8;
const maxZoneLength = 64;
const secondsInDay = 86_400;
const defaultGraceSeconds = 10;

const noNul = (text: string): boolean => !text.includes('\0');
const nulProblem = { error: 'contains NUL', params: { expected: 'text without NUL bytes' } };
const atMost = (count: number, what: string) => ({
  error: `has more than ${count} ${what}`,
  params: { expected: `at most ${count} ${what}` },
});
const utf8Bytes = (text: string): number => new TextEncoder().encode(text).length;
const absolutePath = z
  .string()
  .max(4096)
  .refine((path) => path.startsWith('/') && noNul(path), {
    error: 'is not an absolute path',
    params: { expected: 'an absolute path, without NUL' },
  });

const envNamePattern = /^[A-Za-z_][A-Za-z0-9_]*$/;
const labelPattern = /^[A-Za-z0-9]([A-Za-z0-9._/-]{0,62})$/;

export const retryOutcomes = ['failed', 'timed-out', 'lost'] as const;

const retriesSchema = z.strictObject({
  max: z.int().min(0).max(20).default(0).describe('Further attempts after the first.'),
  on: z
    .array(z.enum(retryOutcomes))
    .refine((outcomes) => new Set(outcomes).size === outcomes.length, {
      error: 'names an outcome twice',
      params: { expected: 'each outcome once' },
    })
    .default([...retryOutcomes])
    .describe('Outcomes after which the fire is tried again.'),
  backoffSeconds: z
    .number()
    .min(0)
    .max(3600)
    .default(10)
    .describe('Pause before the second attempt; doubles with each one, with jitter.'),
  maxBackoffSeconds: z
    .number()
    .min(0)
    .max(secondsInDay)
    .default(3600)
    .describe('Where the doubling of the pause ends; at least backoffSeconds.'),
});

/** What this version understands; a definition that says more is left alone and shown. */
export const jobSchemaVersion = 1;

export const jobFieldsSchema = z.strictObject({
  schemaVersion: z
    .literal(jobSchemaVersion)
    .optional()
    .describe('Form of this definition. Left out: 1.'),
  name: nameSchema.describe('Unique name; also the last segment of its key and URL.'),
  command: z
    .string()
    .refine((text) => text.trim() !== '', {
      error: 'is empty',
      params: { expected: 'a command, e.g. "/usr/bin/backup --all"' },
    })
    .refine(noNul, nulProblem)
    .refine((text) => utf8Bytes(text) <= maxCommandBytes, {
      error: 'is too long',
      params: { expected: `at most ${maxCommandBytes} bytes` },
    })
    .describe('What to run, as one script for `shell -c`.'),
  cronExpr: z
    .string()
    .max(maxExpressionLength)
    .describe('When: 5, 6 (seconds first) or 7 (year last) cron fields, or @hourly, @every 10s.'),
  timezone: z
    .string()
    .max(maxZoneLength)
    .default('UTC')
    .describe('IANA time zone in which cronExpr is read. Default UTC.'),
  calendars: z
    .array(nameSchema)
    .max(maxCalendars)
    .superRefine((names, context) => {
      for (const [index, name] of names.entries()) {
        if (names.indexOf(name) === index) continue;
        const params = { expected: 'each calendar once', got: renderGot(name) };
        context.addIssue({ code: 'custom', path: [index], message: 'is named twice', params });
      }
    })
    .default([])
    .describe('Calendars that must all allow the local date of a tick for it to fire.'),
  enabled: z.boolean().default(true).describe('false pauses the schedule; manual runs still work.'),
  description: z.string().max(4000).refine(noNul, nulProblem).default(''),
  group: nameSchema.default('default').describe('For filters and, later, rights.'),
  labels: z
    .record(
      z.string().refine((key) => labelPattern.test(key), {
        error: 'is not a valid label name',
        params: { expected: '1 to 63 letters, digits, ".", "_", "/" or "-"' },
      }),
      z.string().max(256).refine(noNul, nulProblem),
    )
    .refine((labels) => Object.keys(labels).length <= 32, atMost(32, 'labels'))
    .default({}),
  env: z
    .record(
      z.string().refine((key) => envNamePattern.test(key) && !key.startsWith('CRON_'), {
        error: 'is not a usable variable name',
        params: { expected: 'letters, digits and "_", not beginning with a digit or with CRON_' },
      }),
      z.string().max(32_768).refine(noNul, nulProblem),
    )
    .refine((env) => Object.keys(env).length <= 128, atMost(128, 'variables'))
    .default({})
    .describe('Environment of the run, beside a clean base and the CRON_* variables.'),
  workingDirectory: absolutePath
    .optional()
    .describe("Where the run starts. Default: the worker's own work folder."),
  shell: absolutePath.default('/bin/sh').describe('Run as `shell -c command`.'),
  timeoutSeconds: z
    .number()
    .min(0.1)
    .max(31 * secondsInDay)
    .default(secondsInDay)
    .describe('The run is ended as timed-out after this long. Default one day.'),
  killGraceSeconds: z
    .number()
    .min(0)
    .max(3600)
    .default(defaultGraceSeconds)
    .describe(
      'Between TERM and KILL when a run is ended. Default 10, or timeoutSeconds if that is shorter.',
    ),
  concurrency: z
    .enum(['allow', 'forbid', 'queue', 'replace'])
    .default('forbid')
    .describe(
      'While an earlier run is open: allow another, forbid (skip the fire), queue one, or replace (kill the earlier run, then start).',
    ),
  maxConcurrent: z
    .int()
    .min(1)
    .max(50)
    .optional()
    .describe('With concurrency allow: at most so many runs at a time. Default: no limit.'),
  misfire: z
    .enum(['skip', 'latest', 'all'])
    .default('latest')
    .describe(
      'Ticks that nobody started in time: skip them, run the latest, or all up to misfireLimit.',
    ),
  misfireLimit: z
    .int()
    .min(1)
    .max(100)
    .optional()
    .describe('With misfire all: at most so many of the latest missed ticks are run.'),
  startDeadlineSeconds: z
    .number()
    .min(1)
    .max(secondsInDay)
    .default(20)
    .describe('How late a tick may still start; older ones are misfires.'),
  retries: retriesSchema
    .prefault({})
    .describe('Runs of the same fire again after an end that is not a success.'),
  maxOutputBytes: z
    .int()
    .min(0)
    .max(256 * 1024 * 1024)
    .default(8 * 1024 * 1024)
    .describe('Kept output of one run, in bytes: of what is longer, the beginning and the end.'),
  history: jobRetentionSchema
    .optional()
    .describe('How long its rows in history are kept, where that is not as the mesh has it.'),
});

/** The grace of a job that names none: never longer than its timeout. */
export function impliedGraceSeconds(timeoutSeconds: number): number {
  return Math.min(defaultGraceSeconds, timeoutSeconds);
}

const asWritten = jobFieldsSchema.extend({
  // Whether it was written decides whether it can contradict the timeout.
  killGraceSeconds: jobFieldsSchema.shape.killGraceSeconds.unwrap().optional(),
});

export const jobSchema = asWritten
  // Also when other fields are wrong: whoever mends a definition wants to know all of it at once.
  .superRefine(refuseContradictions, { when: () => true })
  .transform((job) => ({
    ...job,
    killGraceSeconds: job.killGraceSeconds ?? impliedGraceSeconds(job.timeoutSeconds),
  }));

/** Rules over several fields, each checked as far as its own fields can be read. */
function refuseContradictions(written: unknown, context: z.core.$RefinementCtx): void {
  const refuse = (path: string[], message: string, expected: string, got: string): void => {
    context.addIssue({ code: 'custom', path, message, params: { expected, got } });
  };
  const job = fieldsOf(written);
  const { misfire, misfireLimit, concurrency, maxConcurrent } = job;
  const { killGraceSeconds, timeoutSeconds } = job;
  if (misfire === 'all' && misfireLimit === undefined) {
    const expected = 'a bound from 1 to 100 beside misfire "all"';
    refuse(['misfireLimit'], 'is missing', expected, 'nothing');
  }
  if ((misfire === 'skip' || misfire === 'latest') && misfireLimit !== undefined) {
    const got = `misfire "${misfire}"`;
    refuse(['misfireLimit'], 'has no meaning', 'misfire "all" beside it', got);
  }
  if (
    (concurrency === 'forbid' || concurrency === 'queue' || concurrency === 'replace') &&
    maxConcurrent !== undefined
  ) {
    const got = `concurrency "${concurrency}"`;
    refuse(['maxConcurrent'], 'has no meaning', 'concurrency "allow" beside it', got);
  }
  if (isLarger(killGraceSeconds, timeoutSeconds)) {
    refuse(
      ['killGraceSeconds'],
      'is longer than the timeout',
      `at most timeoutSeconds (${renderGot(timeoutSeconds)})`,
      renderGot(killGraceSeconds),
    );
  }
  const { backoffSeconds, maxBackoffSeconds } = fieldsOf(job.retries);
  if (isLarger(backoffSeconds, maxBackoffSeconds)) {
    refuse(
      ['retries', 'maxBackoffSeconds'],
      'is shorter than the first pause',
      `at least backoffSeconds (${renderGot(backoffSeconds)})`,
      renderGot(maxBackoffSeconds),
    );
  }
  const { cronExpr, timezone } = job;
  if (typeof cronExpr !== 'string' || cronExpr.length > maxExpressionLength) return;
  if (typeof timezone !== 'string' || timezone.length > maxZoneLength) return;
  try {
    parseSchedule(cronExpr, timezone);
  } catch (error) {
    if (!(error instanceof CronmeshError)) throw error;
    for (const { field, message, expected, got } of error.problems) {
      refuse(field.split('/').slice(1), message, expected, got);
    }
  }
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

function isLarger(a: unknown, b: unknown): boolean {
  return typeof a === 'number' && typeof b === 'number' && a > b;
}

/** A whole definition, defaults filled in. */
export type Job = z.output<typeof jobSchema>;
/** What a person writes: only name, command and cronExpr are needed. */
export type JobInput = z.input<typeof jobSchema>;
