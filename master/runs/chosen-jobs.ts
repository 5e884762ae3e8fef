/**
 * Names of jobs for a query of history that asks by something else: the beginning of a name, or
 * labels. History knows neither, so they are looked up in the definitions of now; what can be answered
 * so is bounded, because each job is a place of its own in the store's index.
 */
import type { JobIndex } from '../jobs/job-index.ts';
import { badField } from '../http/problem.ts';

const maxChosen = 200;

export interface JobChoice {
  readonly job?: readonly string[] | undefined;
  /** The beginning of a name. */
  readonly q?: string | undefined;
  /** `key=value`, or `key` with any value; every one must hold. */
  readonly label?: readonly string[] | undefined;
}

/** Undefined: all jobs, also those that are gone. Throws `request-invalid` when it is too many. */
export function chosenJobs(
  index: Pick<JobIndex, 'total' | 'order' | 'at' | 'placeOf'>,
  { job, q, label }: JobChoice,
): readonly string[] | undefined {
  if (q === undefined && label === undefined) return job;
  const wanted = (label ?? []).map(readLabel);
  const allowed = job && new Set(job);
  const names: string[] = [];
  // Names that begin alike stand together.
  for (let place = index.placeOf(q ?? ''); place < index.total; place++) {
    const parts = index.at(index.order[place] ?? 0);
    if (parts === undefined) continue;
    if (!parts.name.startsWith(q ?? '')) break;
    const labels = parts.entry.ok ? parts.entry.job.labels : {};
    const holds = wanted.every(
      ({ key, value }) =>
        Object.hasOwn(labels, key) && (value === undefined || labels[key] === value),
    );
    if (holds && (allowed?.has(parts.name) ?? true)) names.push(parts.name);
  }
  if (names.length <= maxChosen) return names;
  throw badField(
    q === undefined ? 'label' : 'q',
    'is true of too many jobs',
    `at most ${maxChosen} jobs`,
    `${names.length} jobs`,
  );
}

function readLabel(text: string): { readonly key: string; readonly value: string | undefined } {
  const at = text.indexOf('=');
  return at < 0
    ? { key: text, value: undefined }
    : { key: text.slice(0, at), value: text.slice(at + 1) };
}
