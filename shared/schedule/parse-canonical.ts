/**
 * Reads back a schedule from its canonical text, as cursors carry it. Undefined when it cannot be
 * parsed here (a zone this machine does not know, a form of a newer version).
 */
import { isCronmeshError } from '../errors.ts';
import { readSchedule } from './parse-schedule.ts';
import type { Schedule } from './schedule.ts';

export function parseCanonical(canonical: string): Schedule | undefined {
  // A period is the same in every zone, so its canonical text names none.
  const isEvery = canonical.startsWith('@every ');
  const text = isEvery ? `${canonical} UTC` : canonical;
  const space = text.lastIndexOf(' ');
  if (space < 1) return undefined;
  try {
    return readSchedule(text.slice(0, space), text.slice(space + 1));
  } catch (error) {
    if (isCronmeshError(error, 'schedule-invalid')) return undefined;
    throw error;
  }
}
