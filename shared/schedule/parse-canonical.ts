/**
 * Reads back a schedule from its canonical text, as cursors carry it. Undefined when it cannot be
 * parsed here (a zone this machine does not know, a form of a newer version).
 */
import { isCronmeshError } from '../errors.ts';
import { parseSchedule } from './parse-schedule.ts';
import type { Schedule } from './schedule.ts';

export function parseCanonical(canonical: string): Schedule | undefined {
  const space = canonical.lastIndexOf(' ');
  if (space < 1) return undefined;
  try {
    return parseSchedule(canonical.slice(0, space), canonical.slice(space + 1));
  } catch (error) {
    if (isCronmeshError(error, 'schedule-invalid')) return undefined;
    throw error;
  }
}
