/**
 * What a job (or group) may be called. A name is one segment of an etcd key and of a URL and ends
 * up in logs and file names, so it has no separators, no control characters and no leading dot.
 */
import { z } from 'zod';

const maxNameLength = 128;
const namePattern = /^[\p{L}\p{N}_][\p{L}\p{N}\p{M}._-]*$/u;

export const nameExpectation =
  '1 to 128 letters, digits, ".", "_" or "-", beginning with a letter, digit or "_", without ".."';

export function isValidName(name: string): boolean {
  return (
    name.length <= maxNameLength &&
    namePattern.test(name) &&
    !name.includes('..') &&
    name === name.normalize('NFC')
  );
}

export const nameSchema = z
  .string()
  .refine(isValidName, { error: 'is not a valid name', params: { expected: nameExpectation } });
