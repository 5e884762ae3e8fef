/** From a document, or from the bytes of `jobs/<name>`, to a Job; for workers and masters alike. */
import { jobSchema, jobSchemaVersion, type Job } from './definition.ts';
import { parseKnownForm } from './known-forms.ts';
import { parseStored, type Quarantined } from './parse-stored.ts';
import { parseWith } from './zod-problems.ts';

export type ParsedJob = { readonly ok: true; readonly job: Job } | Quarantined;

/** Validates a definition; throws `job-invalid` naming every field that is wrong. */
export function parseJob(input: unknown): Job {
  return parseWith(jobSchema, input, 'job-invalid', 'The job definition');
}

const storedForm = {
  schemaVersion: jobSchemaVersion,
  parse: (input: unknown) => parseKnownForm(input, parseJob),
  invalid: 'job-invalid',
} as const;

/** Parses the value of `jobs/<name>`; never throws. */
export function parseStoredJob(name: string, value: Buffer): ParsedJob {
  const stored = parseStored(storedForm, name, value);
  return stored.ok ? { ok: true, job: stored.value } : stored;
}
