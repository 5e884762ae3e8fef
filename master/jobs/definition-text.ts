/**
 * A definition as it is stored: one line of JSON, only what differs from the defaults, fields in the
 * order of the schema; so what etcdctl shows is what a person would have written.
 */
import { impliedGraceSeconds, jobFieldsSchema, type Job } from '../../shared/job/definition.ts';

const plainJob = jobFieldsSchema.parse({ name: 'x', command: 'x', cronExpr: 'x' });
const fieldNames = jobFieldsSchema.keyof().options;

export function definitionText(job: Job): string {
  const kept = fieldNames
    .filter((field) => isGiven(job, field))
    .map((field) => [field, job[field]] as const);
  return JSON.stringify(Object.fromEntries(kept));
}

function isGiven(job: Job, field: keyof Job): boolean {
  if (field === 'name' || field === 'command' || field === 'cronExpr') return true;
  if (field === 'killGraceSeconds') return job[field] !== impliedGraceSeconds(job.timeoutSeconds);
  return !isSame(job[field], plainJob[field]);
}

export interface FieldChange {
  /** JSON pointer. */
  readonly field: string;
  readonly before?: unknown;
  readonly after?: unknown;
}

/** What an edit changes, field by field; `before` is undefined when the job is new. */
export function changesBetween(before: Job | undefined, after: Job): FieldChange[] {
  return fieldNames
    .filter((field) =>
      before === undefined ? isGiven(after, field) : !isSame(before[field], after[field]),
    )
    .map((field) => ({
      field: `/${field}`,
      ...(before?.[field] === undefined ? {} : { before: before[field] }),
      ...(after[field] === undefined ? {} : { after: after[field] }),
    }));
}

/** Equal as JSON; the order of names in a map is no difference. */
function isSame(a: unknown, b: unknown): boolean {
  return sortedJson(a) === sortedJson(b);
}

function sortedJson(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? '';
  const pairs = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify(pairs);
}
