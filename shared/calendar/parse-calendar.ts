/** From a document, or from the bytes of `calendars/<name>`, to a Calendar. */
import { parseStored, type Stored } from '../job/parse-stored.ts';
import { parseWith } from '../job/zod-problems.ts';
import { calendarSchema, calendarSchemaVersion, type Calendar } from './definition.ts';

/** Validates a calendar; throws `calendar-invalid` naming every field that is wrong. */
export function parseCalendar(input: unknown): Calendar {
  return parseWith(calendarSchema, input, 'calendar-invalid', 'The calendar');
}

const storedForm = {
  schemaVersion: calendarSchemaVersion,
  parse: parseCalendar,
  invalid: 'calendar-invalid',
} as const;

/** Parses the value of `calendars/<name>`; never throws. */
export function parseStoredCalendar(name: string, value: Buffer): Stored<Calendar> {
  return parseStored(storedForm, name, value);
}
