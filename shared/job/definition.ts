/**
 * The job definition: one zod schema is the source of its type, its validation at every door (API,
 * etcd by hand, import) and its OpenAPI description. `{"name","command","cronExpr"}` is a complete
 * job; every other field has a default that is safe.
 */
import { z } from 'zod';
import { parseSchedule } from '../schedule/parse-schedule.ts';
import { CronmeshError } from '../errors.ts';
import { nameSchema } from './job-name.ts';

export const maxCommandBytes = 64 * 1024;
const secondsInDay = 86_400;
/** The default grace is no statement of the user's: it gives way to a short timeout. */
const defaultGraceSeconds = 10;

const noNul = (text: string): boolean => !text.includes('\0');
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
    .default([...retryOutcomes])
    .describe('Outcomes after which the fire is tried again.'),
  backoffSeconds: z
    .number()
    .min(0)
    .max(3600)
    .default(10)
    .describe('Pause before the second attempt; doubles with each one, with jitter.'),
  maxBackoffSeconds: z.number().min(0).max(secondsInDay).default(3600),
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
    .refine(noNul, { error: 'contains NUL', params: { expected: 'text without NUL bytes' } })
    .refine((text) => utf8Bytes(text) <= maxCommandBytes, {
      error: 'is too long',
      params: { expected: `at most ${maxCommandBytes} bytes` },
    })
    .describe('What to run, as one script for `shell -c`.'),
  cronExpr: z
    .string()
    .max(256)
    .describe('When: 5, 6 (seconds first) or 7 (year last) cron fields, or @hourly, @every 10s.'),
  timezone: z
    .string()
    .max(64)
    .default('UTC')
    .describe('IANA time zone in which cronExpr is read. Default UTC.'),
  enabled: z.boolean().default(true).describe('false pauses the schedule; manual runs still work.'),
  description: z.string().max(4000).refine(noNul, 'contains NUL').default(''),
  group: nameSchema.default('default').describe('For filters and, later, rights.'),
  labels: z
    .record(
      z.string().refine((key) => labelPattern.test(key), {
        error: 'is not a valid label name',
        params: { expected: '1 to 63 letters, digits, ".", "_", "/" or "-"' },
      }),
      z.string().max(256).refine(noNul, 'contains NUL'),
    )
    .refine((labels) => Object.keys(labels).length <= 32, 'has more than 32 labels')
    .default({}),
  env: z
    .record(
      z.string().refine((key) => envNamePattern.test(key) && !key.startsWith('CRON_'), {
        error: 'is not a usable variable name',
        params: { expected: 'letters, digits and "_", not beginning with a digit or with CRON_' },
      }),
      z.string().max(32_768).refine(noNul, 'contains NUL'),
    )
    .refine((env) => Object.keys(env).length <= 128, 'has more than 128 variables')
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
    .describe('Between TERM and KILL when a run is ended.'),
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
    .describe('Kept output of one run, in bytes; what is beyond is dropped and said so.'),
});

export const jobSchema = jobFieldsSchema.superRefine((job, context) => {
  const refuse = (field: string, message: string, expected: string, got: string): void => {
    context.addIssue({ code: 'custom', path: [field], message, params: { expected, got } });
  };
  if (job.misfire === 'all' && job.misfireLimit === undefined) {
    refuse('misfireLimit', 'is missing', 'a bound from 1 to 100 beside misfire "all"', 'nothing');
  }
  if (job.misfire !== 'all' && job.misfireLimit !== undefined) {
    refuse('misfireLimit', 'has no meaning', 'misfire "all" beside it', `misfire "${job.misfire}"`);
  }
  if (job.concurrency !== 'allow' && job.maxConcurrent !== undefined) {
    refuse(
      'maxConcurrent',
      'has no meaning',
      'concurrency "allow" beside it',
      `concurrency "${job.concurrency}"`,
    );
  }
  if (job.killGraceSeconds > job.timeoutSeconds && job.killGraceSeconds !== defaultGraceSeconds) {
    refuse(
      'killGraceSeconds',
      'is longer than the timeout',
      `at most timeoutSeconds (${job.timeoutSeconds})`,
      String(job.killGraceSeconds),
    );
  }
  try {
    parseSchedule(job.cronExpr, job.timezone);
  } catch (error) {
    if (!(error instanceof CronmeshError)) throw error;
    for (const problem of error.problems) {
      context.addIssue({
        code: 'custom',
        path: problem.field.split('/').slice(1),
        message: problem.message,
        params: { expected: problem.expected, got: problem.got },
      });
    }
  }
});

/** A whole definition, defaults filled in. */
export type Job = z.output<typeof jobSchema>;
/** What a person writes: only name, command and cronExpr are needed. */
export type JobInput = z.input<typeof jobSchema>;
