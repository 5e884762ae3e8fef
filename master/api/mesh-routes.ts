/** The mesh itself: workers, the overview, schedule previews, the live stream. */
import { z } from 'zod';
import { previewUnder } from '../../shared/calendar/preview.ts';
import { CronmeshError, renderGot } from '../../shared/errors.ts';
import { jobFieldsSchema } from '../../shared/job/definition.ts';
import { unreadableText } from '../../shared/mesh/unreadable.ts';
import type { MeshView } from '../../shared/mesh/view.ts';
import { parseSchedule } from '../../shared/schedule/parse-schedule.ts';
import type { EventStreams } from '../http/event-stream.ts';
import { badField } from '../http/problem.ts';
import { ok } from '../http/reply.ts';
import { defineRoute, type Route } from '../http/route.ts';
import type { CalendarUses } from '../calendars/calendar-uses.ts';
import { unknownCalendars } from '../jobs/exact-job.ts';
import type { HeldUpJobs } from '../jobs/held-up-jobs.ts';
import type { JobIndex } from '../jobs/job-index.ts';
import { scheduleWords } from '../jobs/job-items.ts';
import { topics, type ChangeHub, type Topic } from '../live/change-hub.ts';
import type { FleetTime } from '../live/fleet-time.ts';
import type { MeshLink } from '../live/mesh-link.ts';
import type { StoreHealth } from '../live/store-health.ts';
import type { OpenFires } from '../runs/open-fires.ts';
import { epochMs, overviewShape, previewShape, workerListShape, type Shape } from './shapes.ts';

export interface MeshDeps {
  readonly link: MeshLink;
  readonly index: JobIndex;
  readonly calendarUses: CalendarUses;
  readonly heldUp: HeldUpJobs;
  readonly openFires: OpenFires;
  readonly storeHealth: StoreHealth;
  readonly streams: EventStreams;
  readonly hub: ChangeHub;
  readonly clock: FleetTime;
}

const shownUnreadable = 5;

const previewBody = z.strictObject({
  cronExpr: z.string().max(1_024),
  timezone: z.string().max(256).default('UTC'),
  calendars: jobFieldsSchema.shape.calendars,
  count: z.int().min(1).max(100).default(10),
  after: z.int().min(0).max(8_640_000_000_000_000).optional().describe('Epoch ms; default now.'),
});

export function meshRoutes(deps: MeshDeps): Route[] {
  const { link, streams, hub, clock } = deps;
  return [
    defineRoute({
      method: 'GET',
      path: '/api/v1/workers',
      summary: 'Workers that are alive',
      tag: 'mesh',
      query: z.strictObject({}),
      replies: { 200: { description: 'All of them, by id.', schema: workerListShape } },
      refusals: [503],
      handle: async () => {
        link.requireSynced();
        return ok({ items: workerItems(link), stale: link.status.etcd === 'stale' });
      },
    }),
    defineRoute({
      method: 'GET',
      path: '/api/v1/overview',
      summary: 'The mesh in a few numbers, and what needs attention',
      tag: 'mesh',
      query: z.strictObject({}),
      replies: { 200: { description: 'Now.', schema: overviewShape } },
      refusals: [503],
      handle: async () => {
        link.requireSynced();
        return ok(await overview(deps));
      },
    }),
    defineRoute({
      method: 'POST',
      path: '/api/v1/schedule/preview',
      summary: 'When a schedule would fire, in words and as times',
      tag: 'schedule',
      body: previewBody,
      replies: {
        200: {
          description:
            'The next fires; a note where a DST change moved one; and what calendars pass over.',
          schema: previewShape,
        },
      },
      refusals: [400, 413, 415, 422],
      handle: async ({ body }) => {
        const { cronExpr, timezone, calendars: names, count, after = clock.wallMs() } = body;
        const schedule = parseSchedule(cronExpr, timezone, { afterMs: after });
        const { calendars } = link.view.snapshot;
        // Without calendars it is answered by the engine alone, whatever of etcd is known.
        if (names.length > 0) requireKnown(link, names);
        const { ticks, excluded } = previewUnder(schedule, names, calendars, after, count);
        return ok({
          canonical: schedule.canonical,
          scheduleText: scheduleWords(schedule),
          kind: schedule.kind,
          ticks,
          excluded,
        } satisfies Shape<typeof previewShape>);
      },
    }),
    defineRoute({
      method: 'GET',
      path: '/api/v1/stream',
      summary: 'What changes, as hints (server-sent events)',
      tag: 'mesh',
      query: z.strictObject({
        topics: z
          .string()
          .max(100)
          .default(topics.join(','))
          .describe(`Some of ${topics.join(',')}.`),
      }),
      isStream: true,
      replies: {
        200: {
          description:
            'Events `snapshot`, `status` {etcd, since}, and by topic {names, more?, revision}.',
          type: 'text/event-stream',
          schema: z.string(),
        },
      },
      refusals: [400, 503],
      handle: async ({ query }) => {
        const wanted = readTopics(query.topics);
        return streams.open((stream) => hub.watch(stream, wanted));
      },
    }),
  ];
}

/** Throws `schedule-invalid` for calendars that are not there. */
function requireKnown(link: MeshLink, names: readonly string[]): void {
  link.requireSynced();
  const problems = unknownCalendars(names, link.view.snapshot.calendars);
  if (problems.length === 0) return;
  const got = problems.map((problem) => problem.got).join(', ');
  throw new CronmeshError('schedule-invalid', `There is no calendar ${got}`, { problems });
}

function readTopics(text: string): Set<Topic> {
  const wanted = new Set<Topic>();
  for (const word of text.split(',')) {
    const topic = topics.find((known) => known === word.trim());
    if (topic === undefined) {
      throw badField('topics', 'names no topic', `some of ${topics.join(', ')}`, renderGot(word));
    }
    wanted.add(topic);
  }
  return wanted;
}

function workerItems(link: MeshLink): Shape<typeof workerListShape>['items'] {
  return [...link.view.snapshot.workers.values()]
    .map(({ value }) => {
      const { id, host, version, pid, slots, running, load, clockOffsetMs, state } = value;
      return {
        id,
        host,
        version,
        pid,
        slots,
        running,
        load,
        ...(clockOffsetMs === undefined ? {} : { clockOffsetMs }),
        state,
        reasons: value.reasons,
        spool: {
          pendingRecords: value.spool.pendingRecords,
          pendingBytes: value.spool.pendingBytes,
          rejectedRecords: value.spool.rejectedRecords ?? 0,
          ...(value.spool.trouble === undefined ? {} : { trouble: value.spool.trouble }),
        },
        startedAt: value.startedAt,
        beatAt: value.wallMs,
        session: value.session,
      };
    })
    .toSorted((a, b) => (a.id < b.id ? -1 : 1));
}

async function overview(deps: MeshDeps): Promise<Shape<typeof overviewShape>> {
  const { link, index, calendarUses, heldUp, openFires, storeHealth, clock } = deps;
  const store = await storeHealth.check();
  const workers = { ready: 0, draining: 0, blocked: 0 };
  for (const { value } of link.view.snapshot.workers.values()) workers[value.state]++;
  const { etcd, since } = link.status;
  const jobs = {
    total: index.total,
    paused: index.count('paused'),
    quarantined: index.count('quarantined'),
    failing: index.count('failing'),
    attention: heldUp.names().size,
  };
  const stopped = calendarUses.stopped().size;
  const notes = [
    ...(link.restoreReason === undefined ? [] : [`${link.restoreReason}; edits wait.`]),
    ...(etcd === 'stale'
      ? [
          `This master has not heard etcd since ${new Date(since).toISOString()}; what it shows is old.`,
        ]
      : []),
    ...(store.ok ? [] : [`History cannot be read: ${store.reason ?? 'no reason given'}.`]),
    ...(workers.ready === 0 ? ['No worker is ready: nothing fires.'] : []),
    ...(stopped > 0
      ? [`${things(stopped, 'job')} stopped by a calendar that is not there or not valid.`]
      : []),
    ...(workers.blocked > 0 ? [`${things(workers.blocked, 'worker')} blocked.`] : []),
    ...(clock.offMs === undefined
      ? []
      : [`The clock of this master is off by ${clock.offMs} ms; it goes by the fleet's.`]),
    ...unreadableNotes(link.view),
  ];
  return {
    jobs,
    running: openFires.count,
    workers,
    etcd,
    etcdSince: epochMs.parse(since),
    store: store.ok ? 'ok' : 'down',
    notes,
  };
}

/** What somebody put among the mesh's own keys, or a newer version did. */
function unreadableNotes(view: MeshView): string[] {
  const all = [...view.snapshot.unreadable.values()];
  const notes = all.slice(0, shownUnreadable).map((key) => `${unreadableText(key)}.`);
  const more = all.length - notes.length;
  return more > 0 ? [...notes, `${more} more keys in etcd cannot be read.`] : notes;
}

function things(count: number, noun: string): string {
  return count === 1 ? `1 ${noun} is` : `${count} ${noun}s are`;
}
