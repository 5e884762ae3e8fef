/**
 * What stands in the editor's fields: text as it was typed, kept apart from a job until it is saved.
 * The rules of a job are the master's; here only what cannot even be sent is refused.
 */
import type { FieldProblem } from '../../../shared/errors.ts';
import type { Job, JobInput } from '../../../shared/job/definition.ts';
import type { FieldError } from '../api/shapes.ts';
import { parseBytes, writeBytes } from '../format/parse-bytes.ts';
import { parseDays, parseSeconds, writeDays, writeSeconds } from '../format/parse-span.ts';
import { type Pair, pairsOf } from './pairs.ts';

export interface Draft {
  readonly name: string;
  readonly command: string;
  readonly cronExpr: string;
  readonly timezone: string;
  readonly calendars: readonly string[];
  readonly enabled: boolean;
  readonly group: string;
  readonly description: string;
  readonly concurrency: Job['concurrency'];
  /** Empty: no limit. */
  readonly maxConcurrent: string;
  readonly misfire: Job['misfire'];
  readonly misfireLimit: string;
  readonly startDeadline: string;
  readonly retryMax: string;
  readonly retryOn: Job['retries']['on'];
  readonly retryBackoff: string;
  readonly retryMaxBackoff: string;
  readonly timeout: string;
  readonly grace: string;
  readonly maxOutput: string;
  /** Empty: as the mesh has it; the next two as well. */
  readonly historyAge: string;
  readonly historyRuns: string;
  readonly keepFailure: '' | 'yes' | 'no';
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
  calendars: [],
  enabled: true,
  group: 'default',
  description: '',
  concurrency: 'forbid',
  maxConcurrent: '',
  misfire: 'latest',
  misfireLimit: '',
  startDeadline: '20s',
  retryMax: '0',
  retryOn: ['failed', 'timed-out', 'lost'],
  retryBackoff: '10s',
  retryMaxBackoff: '1h',
  timeout: '1d',
  grace: '10s',
  maxOutput: '8 MiB',
  historyAge: '',
  historyRuns: '',
  keepFailure: '',
  env: [],
  labels: [],
  workingDirectory: '',
  shell: '/bin/sh',
};

export function draftOfJob(job: Job): Draft {
  return {
    name: job.name,
    command: job.command,
    cronExpr: job.cronExpr,
    timezone: job.timezone,
    calendars: job.calendars,
    enabled: job.enabled,
    group: job.group,
    description: job.description,
    concurrency: job.concurrency,
    maxConcurrent: job.maxConcurrent === undefined ? '' : String(job.maxConcurrent),
    misfire: job.misfire,
    misfireLimit: job.misfireLimit === undefined ? '' : String(job.misfireLimit),
    startDeadline: writeSeconds(job.startDeadlineSeconds),
    retryMax: String(job.retries.max),
    retryOn: job.retries.on,
    retryBackoff: writeSeconds(job.retries.backoffSeconds),
    retryMaxBackoff: writeSeconds(job.retries.maxBackoffSeconds),
    timeout: writeSeconds(job.timeoutSeconds),
    grace: writeSeconds(job.killGraceSeconds),
    maxOutput: writeBytes(job.maxOutputBytes),
    ...historyFields(job.history),
    env: pairsOf(job.env),
    labels: pairsOf(job.labels),
    workingDirectory: job.workingDirectory ?? '',
    shell: job.shell,
  };
}

function historyFields(
  history: Job['history'],
): Pick<Draft, 'historyAge' | 'historyRuns' | 'keepFailure'> {
  const { maxAgeDays, maxRuns, keepLastFailure } = history ?? {};
  return {
    historyAge: maxAgeDays === undefined ? '' : writeDays(maxAgeDays),
    historyRuns: maxRuns === undefined ? '' : String(maxRuns),
    keepFailure: keepLastFailure === undefined ? '' : keepLastFailure ? 'yes' : 'no',
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

/**
 * Whether it is its key that is wrong, by the problems the master found: nothing that is saved under
 * it would be a job. A wrong name inside the text is mended by saving.
 */
export function hasUnusableName(name: string, problems: readonly FieldProblem[] = []): boolean {
  const written = JSON.stringify(name);
  return problems.some(
    ({ field, message, got }) =>
      field === '/name' &&
      message === 'is not a valid name' &&
      // A long one is cut short.
      written.startsWith(got.replace(/\.\.\.$/, '')),
  );
}

interface ProblemWords {
  readonly message: string;
  readonly expected: string;
}

/** Words for what cannot be sent as typed. */
export interface DraftWords {
  readonly notSpan: ProblemWords;
  readonly notSize: ProblemWords;
  readonly notCount: ProblemWords;
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
  delete kept.maxConcurrent;
  delete kept.misfireLimit;
  delete kept.history;
  // A bound that has no meaning beside the rest is not sent: what is not shown cannot be wrong.
  const bounds: Pick<JobInput, 'maxConcurrent' | 'misfireLimit'> = {};
  if (draft.concurrency === 'allow' && draft.maxConcurrent.trim() !== '') {
    bounds.maxConcurrent = number(
      '/maxConcurrent',
      draft.maxConcurrent,
      parseCount,
      words.notCount,
    );
  }
  if (draft.misfire === 'all' && draft.misfireLimit.trim() !== '') {
    bounds.misfireLimit = number('/misfireLimit', draft.misfireLimit, parseCount, words.notCount);
  }
  const history: NonNullable<JobInput['history']> = {};
  if (draft.historyAge.trim() !== '') {
    history.maxAgeDays = number('/history/maxAgeDays', draft.historyAge, parseDays, words.notSpan);
  }
  if (draft.historyRuns.trim() !== '') {
    history.maxRuns = number('/history/maxRuns', draft.historyRuns, parseCount, words.notCount);
  }
  if (draft.keepFailure !== '') history.keepLastFailure = draft.keepFailure === 'yes';
  const job: JobInput = {
    ...kept,
    name: draft.name.trim(),
    command: draft.command,
    cronExpr: draft.cronExpr.trim(),
    timezone: draft.timezone.trim(),
    calendars: [...draft.calendars],
    enabled: draft.enabled,
    group: draft.group.trim(),
    description: draft.description,
    concurrency: draft.concurrency,
    ...bounds,
    misfire: draft.misfire,
    startDeadlineSeconds: number(
      '/startDeadlineSeconds',
      draft.startDeadline,
      parseSeconds,
      words.notSpan,
    ),
    retries: {
      max: number('/retries/max', draft.retryMax, parseCount, words.notCount),
      on: [...draft.retryOn],
      backoffSeconds: number(
        '/retries/backoffSeconds',
        draft.retryBackoff,
        parseSeconds,
        words.notSpan,
      ),
      maxBackoffSeconds: number(
        '/retries/maxBackoffSeconds',
        draft.retryMaxBackoff,
        parseSeconds,
        words.notSpan,
      ),
    },
    timeoutSeconds: number('/timeoutSeconds', draft.timeout, parseSeconds, words.notSpan),
    killGraceSeconds: number('/killGraceSeconds', draft.grace, parseSeconds, words.notSpan),
    maxOutputBytes: number('/maxOutputBytes', draft.maxOutput, parseBytes, words.notSize),
    ...(Object.keys(history).length === 0 ? {} : { history }),
    env: record('/env', draft.env),
    labels: record('/labels', draft.labels),
    shell: draft.shell.trim(),
    ...(workingDirectory === '' ? {} : { workingDirectory }),
  };
  return { job, errors };
}

function parseCount(text: string): number | undefined {
  return /^\s*\d+\s*$/.test(text) ? Number(text) : undefined;
}

/** RFC 6901. */
export function escapePointer(segment: string): string {
  return segment.replaceAll('~', '~0').replaceAll('/', '~1');
}
