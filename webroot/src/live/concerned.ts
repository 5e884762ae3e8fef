/**
 * Which of the answers that are held may be out of date by what a hint names. On a busy mesh most runs
 * are of jobs that no room shows: of these a list need not be fetched again.
 */
import type { RunFilter, JobFilter } from '../api/filters.ts';
import type { Hint, Topic } from './hint.ts';

/** What a hint on a topic makes stale, by the first part of the key. */
const keysOfTopic: Readonly<Record<Topic, readonly string[]>> = {
  jobs: ['jobs', 'job', 'overview', 'calendars', 'calendar'],
  runs: ['runs', 'run', 'jobs', 'job', 'overview'],
  workers: ['workers', 'overview'],
  calendars: ['calendars', 'calendar', 'jobs', 'job', 'overview', 'preview'],
};

/** Lists scrolled far are fetched again page by page: the longer, the less often. */
const perPageMs = 1500;
const fewPages = 3;

interface Pages {
  readonly pages: readonly { readonly items: readonly { readonly name?: string }[] }[];
}

interface Answer {
  readonly data: unknown;
  readonly dataUpdatedAt: number;
}

export function isDue({ data, dataUpdatedAt }: Answer, nowMs: number): boolean {
  if (!hasPages(data) || data.pages.length <= fewPages) return true;
  return nowMs - dataUpdatedAt >= data.pages.length * perPageMs;
}

export function isConcerned(
  key: readonly unknown[],
  data: unknown,
  changed: ReadonlyMap<Topic, Hint>,
): boolean {
  const [head, about] = key;
  if (typeof head !== 'string') return false;
  return [...changed].some(
    ([topic, hint]) =>
      keysOfTopic[topic].includes(head) &&
      (hint.isMore || !isUntouched(topic, head, about, data, hint.names)),
  );
}

/** Whether what changed of a topic, all of it named, says nothing of that answer. */
function isUntouched(
  topic: Topic,
  head: string,
  about: unknown,
  data: unknown,
  names: ReadonlySet<string>,
): boolean {
  if (head === 'job' && (topic === 'jobs' || topic === 'runs')) return !names.has(String(about));
  if (topic !== 'runs') return false;
  if (head === 'run') return isRecord(data) && !names.has(String(data['job']));
  if (head === 'runs' && isRunFilter(about)) {
    return about.jobs.length > 0 && !about.jobs.some((job) => names.has(job));
  }
  if (head !== 'jobs' || !isJobFilter(about) || !hasPages(data)) return false;
  // Which jobs stand where does not hang on their runs: only what is shown of them does.
  const isFixed = about.statuses.length === 0 && /^-?name$/.test(about.sort);
  return isFixed && !data.pages.some(({ items }) => items.some(({ name = '' }) => names.has(name)));
}

function hasPages(data: unknown): data is Pages {
  return isRecord(data) && Array.isArray(data['pages']);
}

function isJobFilter(about: unknown): about is JobFilter {
  return isRecord(about) && 'sort' in about && 'statuses' in about;
}

function isRunFilter(about: unknown): about is RunFilter {
  return isRecord(about) && 'jobs' in about;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
