/**
 * From bytes to a Job, for workers and masters alike. What stands in etcd is untrusted: anything
 * that is not a whole, valid definition under the name of its own key is quarantined, with the
 * problems a person needs to mend it.
 */
import { isCronmeshError, renderGot, type FieldProblem } from '../errors.ts';
import { jobSchema, jobSchemaVersion, type Job } from './definition.ts';
import { isValidName, nameExpectation } from './job-name.ts';
import { parseWith } from './zod-problems.ts';

export type ParsedJob =
  | { readonly ok: true; readonly job: Job }
  | {
      readonly ok: false;
      readonly problems: readonly FieldProblem[];
      /** It is of a newer form than this version understands: nobody's error, and not to be touched. */
      readonly newer: boolean;
    };

/** Validates a definition; throws `job-invalid` naming every field that is wrong. */
export function parseJob(input: unknown): Job {
  return parseWith(jobSchema, input, 'job-invalid', 'The job definition');
}

/** Parses the value of `jobs/<name>`; never throws. */
export function parseStoredJob(name: string, value: Buffer): ParsedJob {
  if (!isValidName(name)) {
    return failed('/name', 'is not a valid name', nameExpectation, renderGot(name));
  }
  let input: unknown;
  try {
    input = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(value));
  } catch {
    return failed('', 'is not JSON', 'a JSON object in UTF-8', renderGot(value.toString('utf8')));
  }
  const schemaVersion = schemaVersionOf(input);
  if (schemaVersion > jobSchemaVersion) {
    return {
      ok: false,
      newer: true,
      problems: [
        {
          field: '/schemaVersion',
          message: 'is newer than this version of cronmesh understands',
          expected: `at most ${jobSchemaVersion}`,
          got: String(schemaVersion),
        },
      ],
    };
  }
  let job: Job;
  try {
    job = parseJob(input);
  } catch (error) {
    if (isCronmeshError(error, 'job-invalid'))
      return { ok: false, newer: false, problems: error.problems };
    throw error;
  }
  if (job.name !== name) {
    return failed('/name', 'differs from its key', renderGot(name), renderGot(job.name));
  }
  return { ok: true, job };
}

function failed(field: string, message: string, expected: string, got: string): ParsedJob {
  return { ok: false, newer: false, problems: [{ field, message, expected, got }] };
}

function schemaVersionOf(input: unknown): number {
  if (typeof input !== 'object' || input === null || !('schemaVersion' in input)) return 1;
  return typeof input.schemaVersion === 'number' ? input.schemaVersion : 1;
}
