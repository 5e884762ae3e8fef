/** What differs between two definitions, field by field. */
import type { Job } from '../../../shared/job/definition.ts';

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
