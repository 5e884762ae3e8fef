/**
 * What stands in the editor's fields: text as it was typed, kept apart from a job until it is saved.
 * The rules of a job are the master's; here only what cannot even be sent is refused.
 */
import type { Job, JobInput } from '../../../shared/job/definition.ts';
import type { FieldError } from '../api/shapes.ts';
import { parseBytes, writeBytes } from '../format/parse-bytes.ts';
import { parseSeconds, writeSeconds } from '../format/parse-span.ts';

export interface Pair {
  readonly id: number;
  readonly key: string;
  readonly value: string;
}

export interface Draft {
  readonly name: string;
  readonly command: string;
  readonly cronExpr: string;
  readonly timezone: string;
  readonly enabled: boolean;
  readonly group: string;
  readonly description: string;
  readonly concurrency: Job['concurrency'];
  readonly timeout: string;
  readonly grace: string;
  readonly maxOutput: string;
  readonly env: readonly Pair[];
  readonly labels: readonly Pair[];
  readonly workingDirectory: string;
  readonly shell: string;
}

export const emptyDraft: Draft = {
  name: '',
  command: '',
  cronExpr: '',
  timezone: 'UTC',
  enabled: true,
  group: 'default',
  description: '',
  concurrency: 'forbid',
  timeout: '1d',
  grace: '10s',
  maxOutput: '8 MiB',
  env: [],
  labels: [],
  workingDirectory: '',
  shell: '/bin/sh',
};

let lastPairId = 0;

export function createPair(key: string, value: string): Pair {
  lastPairId += 1;
  return { id: lastPairId, key, value };
}

function pairsOf(record: Readonly<Record<string, string>>): Pair[] {
  return Object.entries(record).map(([key, value]) => createPair(key, value));
}

export function draftOfJob(job: Job): Draft {
  return {
    name: job.name,
    command: job.command,
    cronExpr: job.cronExpr,
    timezone: job.timezone,
    enabled: job.enabled,
    group: job.group,
    description: job.description,
    concurrency: job.concurrency,
    timeout: writeSeconds(job.timeoutSeconds),
    grace: writeSeconds(job.killGraceSeconds),
    maxOutput: writeBytes(job.maxOutputBytes),
    env: pairsOf(job.env),
    labels: pairsOf(job.labels),
    workingDirectory: job.workingDirectory ?? '',
    shell: job.shell,
  };
}

/** What can be read of a text that is not a valid job, on top of the defaults. */
export function draftOfRaw(name: string, raw: string): Draft {
  const draft = { ...emptyDraft, name };
  let stored: unknown;
  try {
    stored = JSON.parse(raw);
  } catch {
    return draft;
  }
  if (typeof stored !== 'object' || stored === null) return draft;
  const text = (key: string): Record<string, string> => {
    const value: unknown = Reflect.get(stored, key);
    return typeof value === 'string' ? { [key]: value } : {};
  };
  return {
    ...draft,
    ...text('command'),
    ...text('cronExpr'),
    ...text('timezone'),
    ...text('group'),
    ...text('description'),
    ...text('workingDirectory'),
    ...text('shell'),
  };
}

interface ProblemWords {
  readonly message: string;
  readonly expected: string;
}

/** Words for what cannot be sent as typed. */
export interface DraftWords {
  readonly notSpan: ProblemWords;
  readonly notSize: ProblemWords;
  readonly twice: ProblemWords;
  readonly missingName: ProblemWords;
}

export interface DraftInput {
  readonly job: JobInput;
  readonly errors: readonly FieldError[];
}

/**
 * The job as it is sent; `errors` is what cannot be sent as typed. What `base` says beyond the fields
 * of the editor is kept: saving here must never lose what was set elsewhere.
 */
export function inputOfDraft(draft: Draft, words: DraftWords, base?: Job): DraftInput {
  const errors: FieldError[] = [];
  const number = (
    pointer: string,
    text: string,
    parse: (text: string) => number | undefined,
    problem: ProblemWords,
  ): number => {
    const value = parse(text);
    if (value === undefined) errors.push({ pointer, ...problem, got: JSON.stringify(text) });
    return value ?? 0;
  };
  const record = (pointer: string, pairs: readonly Pair[]): Record<string, string> => {
    const entries = new Map<string, string>();
    for (const { key, value } of pairs) {
      const name = key.trim();
      if (name === '' && value === '') continue;
      if (entries.has(name)) {
        errors.push({ pointer: `${pointer}/${escapePointer(name)}`, ...words.twice, got: name });
      }
      entries.set(name, value);
    }
    return Object.fromEntries(entries);
  };
  if (draft.name.trim() === '') {
    errors.push({ pointer: '/name', ...words.missingName, got: '""' });
  }
  const workingDirectory = draft.workingDirectory.trim();
  const kept: Partial<Job> = { ...base };
  delete kept.workingDirectory;
  const job: JobInput = {
    ...kept,
    name: draft.name.trim(),
    command: draft.command,
    cronExpr: draft.cronExpr.trim(),
    timezone: draft.timezone.trim(),
    enabled: draft.enabled,
    group: draft.group.trim(),
    description: draft.description,
    concurrency: draft.concurrency,
    timeoutSeconds: number('/timeoutSeconds', draft.timeout, parseSeconds, words.notSpan),
    killGraceSeconds: number('/killGraceSeconds', draft.grace, parseSeconds, words.notSpan),
    maxOutputBytes: number('/maxOutputBytes', draft.maxOutput, parseBytes, words.notSize),
    env: record('/env', draft.env),
    labels: record('/labels', draft.labels),
    shell: draft.shell.trim(),
    ...(workingDirectory === '' ? {} : { workingDirectory }),
  };
  return { job, errors };
}

/** RFC 6901. */
export function escapePointer(segment: string): string {
  return segment.replaceAll('~', '~0').replaceAll('/', '~1');
}

/** Pasted `NAME=value` lines, with or without `export` and quotes around the value. */
export function pairsOfLines(text: string): Pair[] {
  return text
    .split('\n')
    .map((line) => /^\s*(?:export\s+)?([A-Za-z_][\w./-]*)=(.*?)\s*$/.exec(line))
    .filter((match) => match !== null)
    .map((match) => createPair(match[1] ?? '', unquote(match[2] ?? '')));
}

function unquote(value: string): string {
  return /^(["'])(.*)\1$/s.exec(value)?.[2] ?? value;
}

export interface FieldChange {
  readonly field: string;
  readonly before: unknown;
  readonly after: unknown;
}

/** The fields in which two definitions differ. */
export function diffJobs(before: Job, after: Job): FieldChange[] {
  const fields = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...fields]
    .map((field) => ({
      field,
      before: Reflect.get(before, field) as unknown,
      after: Reflect.get(after, field) as unknown,
    }))
    .filter((change) => JSON.stringify(change.before) !== JSON.stringify(change.after));
}
