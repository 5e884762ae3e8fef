/** `/api/v1/jobs`: lists, one job, edits. */
import { z } from 'zod';
import type { Clock } from '../../shared/clock.ts';
import { CronmeshError, renderGot } from '../../shared/errors.ts';
import { isValidName, nameExpectation, nameSchema } from '../../shared/job/job-name.ts';
import { parseJob } from '../../shared/job/parse-job.ts';
import type { Job } from '../../shared/job/definition.ts';
import {
  etagOf,
  readPrecondition,
  requireHolds,
  requirePrecondition,
} from '../http/preconditions.ts';
import { badField } from '../http/problem.ts';
import { ok, type Reply } from '../http/reply.ts';
import { defineRoute, type HeaderDoc, type Route } from '../http/route.ts';
import { tellingAll } from '../jobs/all-problems.ts';
import { changesBetween } from '../jobs/definition-text.ts';
import { jobNotFound, requireValid, type JobEditor, type SavedEdit } from '../jobs/job-editor.ts';
import { requireCalendars } from '../jobs/exact-job.ts';
import { hasEntry } from '../jobs/job-index.ts';
import { jobDetail, jobListItem } from '../jobs/job-items.ts';
import { jobSorts, type JobQueries } from '../jobs/job-query.ts';
import { jobStatuses } from '../jobs/job-status.ts';
import type { NextTicks } from '../jobs/next-ticks.ts';
import type { MeshLink } from '../live/mesh-link.ts';
import { mostRuns, type LastRuns } from '../runs/last-runs.ts';
import {
  dryRunShape,
  jobDetailShape,
  jobInputShape,
  jobListShape,
  savedJobShape,
  type Shape,
} from './shapes.ts';

export interface JobsDeps {
  readonly link: MeshLink;
  readonly queries: JobQueries;
  readonly nextTicks: NextTicks;
  readonly editor: JobEditor;
  readonly lastRuns: LastRuns;
  readonly clock: Clock;
}

/** Of all jobs of a page together: a long page tells less of each. */
const mostRunsAPage = 3_000;
const none: ReadonlyMap<string, never> = new Map<string, never>();
const etagHeader = { ETag: 'The revision of the definition, in quotes.' };

/** Any name that may stand in etcd, so that what was put there by hand can be seen and deleted. */
export const anyNameParams = z.object({ name: z.string() });
export const nameParams = z.object({ name: nameSchema });

export const ifMatchHeader: HeaderDoc = {
  name: 'If-Match',
  description: 'The ETag of the job as it was seen, or * for any.',
  required: true,
};

const listQuery = z.strictObject({
  limit: z.int().min(1).max(500).default(50),
  cursor: z.string().max(1_024).optional().describe('The nextCursor of the page before.'),
  q: z.string().max(256).optional().describe('Part of name, description, command or group.'),
  sort: z.enum(jobSorts).default('name'),
  group: z.array(z.string().max(128)).optional(),
  enabled: z.boolean().optional(),
  status: z.array(z.enum(jobStatuses)).optional(),
  runs: z
    .int()
    .min(0)
    .max(mostRuns)
    .default(mostRuns)
    .describe('Last runs of each job; of a page of more than 100 jobs fewer, 3,000 in all.'),
});

export function jobsRoutes(deps: JobsDeps): Route[] {
  const { link, queries, nextTicks, editor, clock, lastRuns } = deps;
  return [
    defineRoute({
      method: 'GET',
      path: '/api/v1/jobs',
      summary: 'List jobs',
      tag: 'jobs',
      query: listQuery,
      replies: { 200: { description: 'One page of jobs.', schema: jobListShape } },
      refusals: [400, 503],
      handle: async ({ query }) => {
        link.requireSynced();
        const nowMs = clock.wallMs();
        const selection = queries.select(query, nowMs);
        const names = selection.parts.map(({ name }) => name);
        const runCount = Math.min(query.runs, Math.floor(mostRunsAPage / query.limit));
        // The list is about the mesh, and answers without the store.
        const known = runCount === 0 ? none : await lastRuns.of(names, runCount);
        return ok({
          items: selection.parts.map((parts) => {
            const runs = known?.get(parts.name) ?? [];
            return jobListItem(link.view, parts, nextTicks, nowMs, runs);
          }),
          ...(selection.nextCursor === undefined ? {} : { nextCursor: selection.nextCursor }),
          total: selection.total,
          facets: { groups: selection.groups },
          stale: link.status.etcd === 'stale',
          storeDown: known === undefined,
        } satisfies Shape<typeof jobListShape>);
      },
    }),
    defineRoute({
      method: 'GET',
      path: '/api/v1/jobs/:name',
      summary: 'One job, with its next ticks and open runs',
      tag: 'jobs',
      params: anyNameParams,
      replies: { 200: { description: 'The job.', schema: jobDetailShape, headers: etagHeader } },
      refusals: [404, 503],
      handle: async ({ params: { name } }) => {
        link.requireSynced();
        const parts = link.view.part(name);
        if (parts === undefined || !hasEntry(parts)) throw noSuchJob(name);
        const detail = jobDetail(link.view, parts, clock.wallMs());
        return ok(detail, { ETag: etagOf(parts.entry.modRevision) });
      },
    }),
    defineRoute({
      method: 'PUT',
      path: '/api/v1/jobs/:name',
      summary: 'Create or replace a job; with dryRun, only say what would change',
      tag: 'jobs',
      params: nameParams,
      query: z.strictObject({ dryRun: z.boolean().default(false) }),
      headers: [
        { name: 'If-None-Match', description: '* to create: the job must not exist.' },
        { name: 'If-Match', description: 'The ETag of the job that is replaced, or *.' },
      ],
      body: z.unknown(),
      bodyDoc: jobInputShape,
      replies: {
        200: {
          description: 'Replaced, or the same as before; or the answer of a dry run.',
          schema: z.union([savedJobShape, dryRunShape]),
          headers: etagHeader,
        },
        201: { description: 'Created.', schema: savedJobShape, headers: etagHeader },
      },
      refusals: [400, 412, 413, 415, 422, 428, 503],
      handle: async ({ params: { name }, query: { dryRun }, body, headers }) => {
        const given = readPrecondition(headers);
        const expected = 'If-None-Match: * to create, or If-Match with the ETag to replace';
        // A view that was never synced knows of no calendar at all.
        const known = link.isSynced ? link.view.snapshot.calendars : undefined;
        const telling = <T>(act: () => Promise<T>): Promise<T> =>
          known === undefined ? act() : tellingAll(body, known, act);
        if (dryRun) return telling(async () => tryPut(editor, parseNamedJob(name, body), given));
        const precondition = requirePrecondition(given, expected);
        const edit = await telling(async () => editor.put(parseNamedJob(name, body), precondition));
        return saved(link, edit);
      },
    }),
    defineRoute({
      method: 'DELETE',
      path: '/api/v1/jobs/:name',
      summary: 'Delete a job; its history stays',
      tag: 'jobs',
      params: anyNameParams,
      headers: [ifMatchHeader],
      replies: { 204: { description: 'Deleted.' } },
      refusals: [404, 412, 428, 503],
      handle: async ({ params: { name }, headers }) => {
        requireUsable(name);
        const precondition = requirePrecondition(
          readPrecondition(headers),
          'the ETag of the job, or *',
        );
        await link.caughtUp(await editor.delete(name, precondition));
        return { status: 204 };
      },
    }),
    ...(['pause', 'resume'] as const).map((verb) =>
      defineRoute({
        method: 'POST',
        path: `/api/v1/jobs/:name/${verb}`,
        summary:
          verb === 'pause'
            ? 'Stop scheduling a job; it can still be run by hand'
            : 'Schedule a paused job again',
        tag: 'jobs',
        params: nameParams,
        headers: [ifMatchHeader],
        replies: {
          200: { description: 'The job as it is now.', schema: savedJobShape, headers: etagHeader },
        },
        refusals: [404, 409, 412, 428, 503],
        handle: async ({ params: { name }, headers }) => {
          const precondition = requirePrecondition(
            readPrecondition(headers),
            'the ETag of the job, or *',
          );
          return saved(link, await editor.setEnabled(name, verb === 'resume', precondition));
        },
      }),
    ),
  ];
}

/** `not-found`, or `request-invalid` when there can be no job of that name. */
export function noSuchJob(name: string): CronmeshError {
  return isValidName(name) ? jobNotFound(name) : badName(name);
}

export function badName(name: string): CronmeshError {
  return badField('name', 'is not a valid name', nameExpectation, renderGot(name));
}

/** What etcd may hold a key of, though we would not have put it there, can be deleted by name. */
export function requireUsable(name: string): void {
  if (name === '') throw badName(name);
}

/** The name may be left out of the body, but not differ from the path. */
function parseNamedJob(name: string, body: unknown): Job {
  const isObject = typeof body === 'object' && body !== null && !Array.isArray(body);
  const job = parseJob(isObject && !Object.hasOwn(body, 'name') ? { ...body, name } : body);
  if (job.name === name) return job;
  const problem = {
    field: '/name',
    message: 'differs from the name in the path',
    expected: `${renderGot(name)}, or no name`,
    got: renderGot(job.name),
  };
  throw new CronmeshError('job-invalid', `/name ${problem.message}`, { problems: [problem] });
}

async function tryPut(
  editor: JobEditor,
  job: Job,
  precondition: ReturnType<typeof readPrecondition>,
): Promise<Reply> {
  const { entry, calendars } = await editor.read(job.name, job.calendars);
  if (precondition !== undefined) requireHolds(precondition, entry?.modRevision ?? 0, 'job');
  const before = entry?.ok === true ? requireValid(entry) : undefined;
  if (before?.cronExpr !== job.cronExpr || before.timezone !== job.timezone) {
    editor.requireFuture(job);
  }
  requireCalendars(job, calendars);
  const answer = { valid: true, job, changes: changesBetween(before, job) } as const;
  return ok(answer, entry === undefined ? {} : { ETag: etagOf(entry.modRevision) });
}

async function saved(link: MeshLink, edit: SavedEdit): Promise<Reply> {
  await link.caughtUp(edit.revision);
  return {
    status: edit.result === 'created' ? 201 : 200,
    headers: { ETag: etagOf(edit.revision) },
    json: { job: edit.job, revision: edit.revision } satisfies Shape<typeof savedJobShape>,
  };
}
