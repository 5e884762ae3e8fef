/** Jobs as the API shows them, made from what the view holds of them. */
import { previewUnder } from '../../shared/calendar/preview.ts';
import type { JobEntry } from '../../shared/mesh/job-entry.ts';
import type { Held, JobParts, MeshView } from '../../shared/mesh/view.ts';
import type { FireValue } from '../../shared/protocol/values.ts';
import type { Schedule } from '../../shared/schedule/schedule.ts';
import { describeSchedule } from '../../shared/schedule/describe.ts';
import type {
  jobDetailShape,
  jobListItemShape,
  openRunShape,
  Shape,
  stateShape,
} from '../api/shapes.ts';
import { countedTo, jobConcerns } from './job-concerns.ts';
import { groupOf, type JobWithEntry } from './job-index.ts';
import type { RunBrief } from '../runs/last-runs.ts';
import { orderPart } from '../runs/standing-order.ts';
import type { NextTicks } from './next-ticks.ts';

const shownCommandLength = 200;
const shownTicks = 5;

const words = new WeakMap<Schedule, string>();

/** The schedule in words, with its zone when that is not UTC. */
export function scheduleWords(schedule: Schedule): string {
  let text = words.get(schedule);
  if (text === undefined) {
    text = describeSchedule(schedule);
    words.set(schedule, text);
  }
  return text;
}

export function jobListItem(
  view: MeshView,
  parts: JobWithEntry,
  nextTicks: NextTicks,
  nowMs: number,
  lastRuns: readonly RunBrief[],
): Shape<typeof jobListItemShape> {
  const { name, entry, fires, state } = parts;
  const nextTick = nextTicks.of(parts, nowMs);
  return {
    name,
    ...describedPart(entry),
    ...(nextTick === undefined ? {} : { nextTick }),
    running: fires.size,
    ...statePart(state),
    attention: jobConcerns(view, parts, nowMs),
    ...revisionsOf(entry),
    lastRuns,
  };
}

function describedPart(entry: JobEntry) {
  if (!entry.ok) {
    return {
      group: groupOf(entry),
      description: '',
      command: '',
      cronExpr: '',
      timezone: '',
      calendars: [],
      enabled: false,
      concurrency: 'forbid' as const,
      scheduleText: '',
      quarantined: entry.problems,
    };
  }
  const { group, description, command, cronExpr, timezone, calendars, enabled, concurrency } =
    entry.job;
  return {
    group,
    description,
    command: shortened(command),
    cronExpr,
    timezone,
    calendars,
    enabled,
    concurrency,
    scheduleText: scheduleWords(entry.schedule),
  };
}

/** Never ends in half a character. */
function shortened(command: string): string {
  return command.slice(0, shownCommandLength).replace(/[\uD800-\uDBFF]$/, '');
}

export function jobDetail(
  view: MeshView,
  parts: JobWithEntry,
  nowMs: number,
): Shape<typeof jobDetailShape> {
  const { name, entry, fires, state } = parts;
  const running = [...fires.values()].map((fire) => ({
    ...openRun(fire),
    ...orderPart(view, name, fire),
  }));
  const live = { running, ...statePart(state) };
  if (!entry.ok) {
    return {
      ...revisionsOf(entry),
      scheduleText: '',
      nextTicks: [],
      excluded: [],
      attention: jobConcerns(view, parts, nowMs),
      ...live,
      quarantined: entry.problems,
      raw: entry.raw.toString('utf8'),
    };
  }
  const { job, schedule } = entry;
  const { calendars } = view.snapshot;
  const settledMs = Math.max(nowMs, countedTo(parts) ?? 0);
  const next = job.enabled
    ? previewUnder(schedule, job.calendars, calendars, settledMs, shownTicks)
    : { ticks: [], excluded: [] };
  return {
    job,
    ...revisionsOf(entry),
    scheduleText: scheduleWords(schedule),
    nextTicks: next.ticks.map(({ tick }) => tick),
    excluded: next.excluded,
    attention: jobConcerns(view, parts, nowMs),
    ...live,
  };
}

function openRun(fire: Held<FireValue>): Shape<typeof openRunShape> {
  const { runId, worker, tick, attempt, cause } = fire.value;
  return { runId, worker, tick, attempt, cause, fence: fire.createRevision };
}

function revisionsOf(entry: JobEntry) {
  return { revision: entry.modRevision, createdRevision: entry.createRevision };
}

function statePart(held: JobParts['state']): { readonly state?: Shape<typeof stateShape> } {
  if (held === undefined) return {};
  const { outcome, tick, runId, worker, endedAt, startedAt, exitCode, reason } = held.value;
  return {
    state: {
      outcome,
      tick,
      runId,
      worker,
      endedAt,
      ...(startedAt === undefined ? {} : { startedAt }),
      ...(exitCode === undefined ? {} : { exitCode }),
      ...(reason === undefined ? {} : { reason }),
    },
  };
}
