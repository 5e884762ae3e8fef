/**
 * Reads a definition that differs from one read before in nothing but what is usually a job's own: a
 * fleet has few forms, and 100,000 jobs. The fields that it has in common with the others are neither
 * validated again nor held again; its own ones are validated as ever. A definition of a new form, or
 * with anything wrong in it, is left to the whole validation, which then tells all that is wrong.
 *
 * This is right because no rule of definition.ts ties one of a job's own fields to another field, except
 * that cronExpr must be a schedule in the timezone.
 */
import { isCronmeshError } from '../errors.ts';
import { parseSchedule } from '../schedule/parse-schedule.ts';
import { RecentMap } from '../schedule/recent-map.ts';
import { jobFieldsSchema, type Job } from './definition.ts';

const ownFieldsSchema = jobFieldsSchema.pick({
  name: true,
  command: true,
  cronExpr: true,
  description: true,
});

/** A definition of each form, by the text of what it has in common with others. */
const known = new RecentMap<Job>(10_000);
const longestForm = 4_096;

/** The definition that `input` (from JSON) is; `parse` is the whole validation. */
export function parseKnownForm(input: unknown, parse: (input: unknown) => Job): Job {
  if (!isRecord(input)) return parse(input);
  const { name, command, cronExpr, description, ...common } = input;
  const form = JSON.stringify(common);
  const like = known.get(form);
  if (like === undefined) {
    // The copy has no room left over for more fields, as an object that grew has.
    const job = { ...parse(input) };
    if (form.length <= longestForm) known.set(form, frozen(job));
    return job;
  }
  const own = ownFieldsSchema.safeParse({ name, command, cronExpr, description });
  if (!own.success || !isSchedule(own.data.cronExpr, like.timezone)) return parse(input);
  const job = { ...like };
  job.name = own.data.name;
  job.command = own.data.command;
  job.cronExpr = own.data.cronExpr;
  job.description = own.data.description;
  return job;
}

function isRecord(input: unknown): input is Readonly<Record<string, unknown>> {
  return typeof input === 'object' && input !== null && !Array.isArray(input);
}

function isSchedule(cronExpr: string, timezone: string): boolean {
  try {
    parseSchedule(cronExpr, timezone);
    return true;
  } catch (error) {
    if (isCronmeshError(error, 'schedule-invalid')) return false;
    throw error;
  }
}

/** What many jobs hold together, none of them may change. */
function frozen<T extends object>(value: T): T {
  for (const part of Object.values(value)) {
    if (typeof part === 'object' && part !== null) frozen(part);
  }
  return Object.freeze(value);
}
