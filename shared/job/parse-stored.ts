/**
 * From the bytes of a definition in etcd to what they mean. What stands there is untrusted: anything
 * that is not a whole, valid definition under the name of its own key is quarantined, with the problems
 * a person needs to mend it; one of a newer form is nobody's error and not to be touched.
 */
import { isCronmeshError, renderGot, type ErrorCode, type FieldProblem } from '../errors.ts';
import { isValidName, nameExpectation } from './job-name.ts';

export interface Quarantined {
  readonly ok: false;
  readonly problems: readonly FieldProblem[];
  /** It is of a newer form than this version understands: nobody's error, and not to be touched. */
  readonly newer: boolean;
}

export type Stored<T> = { readonly ok: true; readonly value: T } | Quarantined;

export interface StoredForm<T> {
  /** The newest form that is understood. */
  readonly schemaVersion: number;
  /** Throws `invalid` naming every field that is wrong. */
  readonly parse: (input: unknown) => T;
  readonly invalid: ErrorCode;
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** Parses the value of a key that ends with `name`; never throws. */
export function parseStored<T extends { readonly name: string }>(
  form: StoredForm<T>,
  name: string,
  bytes: Buffer,
): Stored<T> {
  if (!isValidName(name)) {
    return failed('/name', 'is not a valid name', nameExpectation, renderGot(name));
  }
  let input: unknown;
  try {
    input = JSON.parse(utf8.decode(bytes));
  } catch {
    return failed('', 'is not JSON', 'a JSON object in UTF-8', renderGot(bytes.toString('utf8')));
  }
  const schemaVersion = schemaVersionOf(input);
  if (schemaVersion > form.schemaVersion) {
    const problem = {
      field: '/schemaVersion',
      message: 'is newer than this version of cronmesh understands',
      expected: `at most ${form.schemaVersion}`,
      got: String(schemaVersion),
    };
    return { ok: false, newer: true, problems: [problem] };
  }
  let value: T;
  try {
    value = form.parse(input);
  } catch (error) {
    if (isCronmeshError(error, form.invalid)) {
      return { ok: false, newer: false, problems: error.problems };
    }
    throw error;
  }
  if (value.name !== name) {
    return failed('/name', 'differs from its key', renderGot(name), renderGot(value.name));
  }
  return { ok: true, value };
}

function failed(field: string, message: string, expected: string, got: string): Quarantined {
  return { ok: false, newer: false, problems: [{ field, message, expected, got }] };
}

function schemaVersionOf(input: unknown): number {
  if (typeof input !== 'object' || input === null || !('schemaVersion' in input)) return 1;
  return typeof input.schemaVersion === 'number' ? input.schemaVersion : 1;
}
