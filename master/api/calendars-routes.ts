/** `/api/v1/calendars`: lists, one calendar with the jobs that use it, edits. */
import { z } from 'zod';
import { parseCalendar } from '../../shared/calendar/parse-calendar.ts';
import type { Calendar } from '../../shared/calendar/definition.ts';
import { CronmeshError, renderGot } from '../../shared/errors.ts';
import { isValidName } from '../../shared/job/job-name.ts';
import {
  calendarNotFound,
  type CalendarEditor,
  type SavedCalendar,
} from '../calendars/calendar-editor.ts';
import { calendarDetail, calendarList } from '../calendars/calendar-items.ts';
import { calendarChanges } from '../calendars/calendar-text.ts';
import type { CalendarUses } from '../calendars/calendar-uses.ts';
import {
  etagOf,
  readPrecondition,
  requireHolds,
  requirePrecondition,
} from '../http/preconditions.ts';
import { ok, type Reply } from '../http/reply.ts';
import { defineRoute, type HeaderDoc, type Route } from '../http/route.ts';
import type { MeshLink } from '../live/mesh-link.ts';
import { anyNameParams, badName, nameParams, requireUsable } from './jobs-routes.ts';
import {
  calendarDetailShape,
  calendarDryRunShape,
  calendarInputShape,
  calendarListShape,
  savedCalendarShape,
  type Shape,
} from './shapes.ts';

export interface CalendarsDeps {
  readonly link: MeshLink;
  readonly calendarEditor: CalendarEditor;
  readonly calendarUses: CalendarUses;
}

const etagHeader = { ETag: 'The revision of the calendar, in quotes.' };
const ifMatchHeader: HeaderDoc = {
  name: 'If-Match',
  description: 'The ETag of the calendar as it was seen, or * for any.',
  required: true,
};

export function calendarsRoutes(deps: CalendarsDeps): Route[] {
  const { link, calendarEditor: editor, calendarUses: uses } = deps;
  return [
    defineRoute({
      method: 'GET',
      path: '/api/v1/calendars',
      summary: 'All calendars, and those that jobs name but are not there',
      tag: 'calendars',
      query: z.strictObject({}),
      replies: { 200: { description: 'All of them, by name.', schema: calendarListShape } },
      refusals: [400, 503],
      handle: async () => {
        link.requireSynced();
        return ok({
          ...calendarList(link.view.snapshot.calendars, uses),
          stale: link.status.etcd === 'stale',
        } satisfies Shape<typeof calendarListShape>);
      },
    }),
    defineRoute({
      method: 'GET',
      path: '/api/v1/calendars/:name',
      summary: 'One calendar, and the jobs that use it',
      tag: 'calendars',
      params: anyNameParams,
      replies: {
        200: { description: 'The calendar.', schema: calendarDetailShape, headers: etagHeader },
      },
      refusals: [404, 503],
      handle: async ({ params: { name } }) => {
        link.requireSynced();
        const entry = link.view.snapshot.calendars.get(name);
        if (entry === undefined) throw noSuchCalendar(name);
        return ok(calendarDetail(entry, uses), { ETag: etagOf(entry.modRevision) });
      },
    }),
    defineRoute({
      method: 'PUT',
      path: '/api/v1/calendars/:name',
      summary: 'Create or replace a calendar; with dryRun, only say what would change',
      tag: 'calendars',
      params: nameParams,
      query: z.strictObject({ dryRun: z.boolean().default(false) }),
      headers: [
        { name: 'If-None-Match', description: '* to create: the calendar must not exist.' },
        { name: 'If-Match', description: 'The ETag of the calendar that is replaced, or *.' },
      ],
      body: z.unknown(),
      bodyDoc: calendarInputShape,
      replies: {
        200: {
          description: 'Replaced, or the same as before; or the answer of a dry run.',
          schema: z.union([savedCalendarShape, calendarDryRunShape]),
          headers: etagHeader,
        },
        201: { description: 'Created.', schema: savedCalendarShape, headers: etagHeader },
      },
      refusals: [400, 412, 413, 415, 422, 428, 503],
      handle: async ({ params: { name }, query: { dryRun }, body, headers }) => {
        const given = readPrecondition(headers);
        const expected = 'If-None-Match: * to create, or If-Match with the ETag to replace';
        if (dryRun) return tryPut(editor, parseNamedCalendar(name, body), given);
        const precondition = requirePrecondition(given, expected);
        return saved(link, await editor.put(parseNamedCalendar(name, body), precondition));
      },
    }),
    defineRoute({
      method: 'DELETE',
      path: '/api/v1/calendars/:name',
      summary: 'Delete a calendar that no job uses',
      tag: 'calendars',
      params: anyNameParams,
      headers: [ifMatchHeader],
      replies: { 204: { description: 'Deleted.' } },
      refusals: [404, 409, 412, 428, 503],
      handle: async ({ params: { name }, headers }) => {
        requireUsable(name);
        const precondition = requirePrecondition(
          readPrecondition(headers),
          'the ETag of the calendar, or *',
        );
        await link.caughtUp(await editor.delete(name, precondition));
        return { status: 204 };
      },
    }),
  ];
}

/** `not-found`, or `request-invalid` when there can be no calendar of that name. */
function noSuchCalendar(name: string): CronmeshError {
  return isValidName(name) ? calendarNotFound(name) : badName(name);
}

/** The name may be left out of the body, but not differ from the path. */
function parseNamedCalendar(name: string, body: unknown): Calendar {
  const isObject = typeof body === 'object' && body !== null && !Array.isArray(body);
  const calendar = parseCalendar(
    isObject && !Object.hasOwn(body, 'name') ? { ...body, name } : body,
  );
  if (calendar.name === name) return calendar;
  const problem = {
    field: '/name',
    message: 'differs from the name in the path',
    expected: `${renderGot(name)}, or no name`,
    got: renderGot(calendar.name),
  };
  throw new CronmeshError('calendar-invalid', `/name ${problem.message}`, { problems: [problem] });
}

async function tryPut(
  editor: CalendarEditor,
  calendar: Calendar,
  precondition: ReturnType<typeof readPrecondition>,
): Promise<Reply> {
  const entry = await editor.read(calendar.name);
  if (precondition !== undefined) requireHolds(precondition, entry?.modRevision ?? 0, 'calendar');
  const before = entry?.ok === true ? entry.calendar : undefined;
  const answer = { valid: true, calendar, changes: calendarChanges(before, calendar) } as const;
  return ok(answer, entry === undefined ? {} : { ETag: etagOf(entry.modRevision) });
}

async function saved(link: MeshLink, edit: SavedCalendar): Promise<Reply> {
  await link.caughtUp(edit.revision);
  const { calendar, revision } = edit;
  return {
    status: edit.result === 'created' ? 201 : 200,
    headers: { ETag: etagOf(revision) },
    json: { calendar, revision } satisfies Shape<typeof savedCalendarShape>,
  };
}
