/**
 * A calendar: a named set of dates on which the jobs that use it do not fire (`exclude`), or on which
 * alone they do (`only`). One zod schema is the source of its type, its validation at every door and
 * its OpenAPI description.
 */
import { z } from 'zod';
import { nameSchema } from '../job/job-name.ts';
import { dateExpectation, readDateEntry } from './date-entry.ts';

/** What this version understands; a calendar that says more is left alone and shown. */
export const calendarSchemaVersion = 1;
const maxCalendarDates = 2_000;

const dateSchema = z.string().superRefine((text, context) => {
  const reading = readDateEntry(text);
  if (reading.ok) return;
  const { message, expected, got } = reading;
  context.addIssue({ code: 'custom', message, params: { expected, got } });
});

export const calendarSchema = z.strictObject({
  schemaVersion: z
    .literal(calendarSchemaVersion)
    .optional()
    .describe('Form of this definition. Left out: 1.'),
  name: nameSchema.describe('Unique name; also the last segment of its key and URL.'),
  description: z
    .string()
    .max(4000)
    .refine((text) => !text.includes('\0'), 'contains NUL')
    .default(''),
  mode: z
    .enum(['exclude', 'only'])
    .describe('exclude: jobs do not fire on these dates; only: they fire on no others.'),
  dates: z
    .array(dateSchema)
    .max(maxCalendarDates)
    .describe(`Each is ${dateExpectation}. Dates are local dates in the time zone of the job.`),
});

/** A whole calendar, defaults filled in. */
export type Calendar = z.output<typeof calendarSchema>;
/** What a person writes. */
export type CalendarInput = z.input<typeof calendarSchema>;
