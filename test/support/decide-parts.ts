/** One job as the view shows it, and what a worker decides by, for tests of decisions. */
import type { JobInput } from '../../shared/job/definition.ts';
import { readJobEntry } from '../../shared/mesh/job-entry.ts';
import type { Held, JobParts } from '../../shared/mesh/view.ts';
import { encodeCursor, parseCursor } from '../../shared/protocol/cursor.ts';
import type { FireValue, TriggerValue } from '../../shared/protocol/values.ts';
import type { DecideContext } from '../../worker/schedule/decision.ts';

/** Parts whose collections a test may fill. */
export type OpenParts = Filled<Omit<JobParts, 'unreadable'>> & {
  readonly unreadable: Filled<JobParts['unreadable']>;
};
type Filled<T> = { [K in keyof T]: T[K] extends ReadonlyMap<infer I, infer V> ? Map<I, V> : T[K] };

export const start = Date.UTC(2026, 0, 1, 12, 0, 0);
export const every = { cronExpr: '* * * * * *' };

export function part(
  job: Partial<JobInput> = every,
  cursor?: { tick: number; schedule?: string },
): OpenParts {
  const value = Buffer.from(JSON.stringify({ name: 'a', command: 'true', ...job }));
  const entry = readJobEntry('a', {
    key: '/cron/jobs/a',
    value,
    createRevision: 5,
    modRevision: 7,
    version: 1,
    lease: '0',
  });
  const raw =
    cursor === undefined
      ? undefined
      : encodeCursor({
          tick: cursor.tick,
          schedule: cursor.schedule ?? (entry.ok ? entry.schedule.canonical : '-'),
        });
  return {
    name: 'a',
    entry,
    cursor: raw === undefined ? undefined : { raw, modRevision: 9, cursor: parseCursor(raw) },
    state: undefined,
    fires: new Map(),
    triggers: new Map(),
    dones: new Map(),
    orders: new Map(),
    slots: new Map(),
    unreadable: { fire: new Map(), trigger: new Map() },
  };
}

export function context(nowMs: number, more: Partial<DecideContext> = {}): DecideContext {
  return {
    nowMs,
    calendars: new Map(),
    canClaim: () => true,
    canCatchUp: () => true,
    canDecide: () => true,
    sessionAlive: () => true,
    delayMs: () => 0,
    firstSeenMs: () => nowMs,
    ...more,
  };
}

export function openFire(session = 's1'): Held<FireValue> {
  return {
    value: {
      v: 1,
      runId: 'r1',
      session,
      worker: 'w1',
      jobCreate: 5,
      cause: 'tick',
      tick: start,
      attempt: 1,
      group: 'default',
    },
    createRevision: 20,
    modRevision: 20,
  };
}

export function trigger(more: Partial<TriggerValue> = {}): Held<TriggerValue> {
  return {
    value: {
      v: 1,
      cause: 'manual',
      tick: start,
      notBefore: start,
      expires: start + 60_000,
      attempt: 1,
      jobCreate: 5,
      ...more,
    },
    createRevision: 30,
    modRevision: 30,
  };
}
