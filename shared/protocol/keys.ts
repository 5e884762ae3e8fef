/**
 * Every key of the mesh, below one prefix (default `/cron`). Nothing else builds or takes apart a
 * key. Names are validated before they come here; ids are made by the mesh.
 */
import { prefixEnd } from '../etcd/port.ts';

export interface KeyRange {
  readonly key: string;
  readonly rangeEnd: string;
}

export interface Keys {
  /** With a closing slash, e.g. `/cron/`. */
  readonly root: string;
  /** Under which state of etcd the cursors were counted. */
  readonly cluster: string;
  job(name: string): string;
  /** All definitions, as one range for a guard. */
  jobs(): KeyRange;
  calendar(name: string): string;
  /** What holds for all jobs. */
  setting(name: 'history'): string;
  /** Who pruned history last, and what went. */
  readonly pruned: string;
  cursor(name: string): string;
  session(leaseId: string): string;
  worker(workerId: string): string;
  /** The open fire, which is the lock. */
  fire(name: string, fireId: string): string;
  /** All open fires of a job, as one range for a guard. */
  fires(name: string): KeyRange;
  slot(name: string, index: number | string): string;
  trigger(name: string, triggerId: string): string;
  /** All triggers of a job that wait, as one range for a guard. */
  triggers(name: string): KeyRange;
  /** Those of them that stand for queued ticks. */
  queued(name: string): KeyRange;
  once(requestId: string): string;
  /** Somebody watches the run's output. */
  watch(runId: string): string;
  /** An order against all runs of the job, or against the named run. */
  killer(name: string, runId?: string): string;
  done(name: string, id: string): string;
  /** All `done` records of a job, as one range for a guard. */
  dones(name: string): KeyRange;
  state(name: string): string;
  parse(key: string): ParsedKey | undefined;
}

export type ParsedKey =
  | { readonly kind: 'cluster' | 'pruned' }
  | { readonly kind: 'job' | 'cursor' | 'state'; readonly name: string }
  /** Of a calendar or a setting, its name; of a watch, the run's id. */
  | { readonly kind: IdKind; readonly id: string }
  | {
      readonly kind: 'fire' | 'trigger' | 'done' | 'slot';
      readonly name: string;
      readonly id: string;
    }
  | { readonly kind: 'killer'; readonly name: string; readonly id: string | undefined };

type IdKind = 'session' | 'worker' | 'once' | 'calendar' | 'setting' | 'watch';

/** Keys below `prefix`, with or without a closing slash. */
export function createKeys(prefix: string): Keys {
  const root = `${prefix.replace(/\/+$/, '')}/`;
  return {
    root,
    cluster: `${root}cluster`,
    job: (name) => `${root}jobs/${name}`,
    jobs: () => ({ key: `${root}jobs/`, rangeEnd: prefixEnd(`${root}jobs/`) }),
    calendar: (name) => `${root}calendars/${name}`,
    setting: (name) => `${root}settings/${name}`,
    pruned: `${root}pruned`,
    cursor: (name) => `${root}cursor/${name}`,
    session: (leaseId) => `${root}session/${leaseId}`,
    worker: (workerId) => `${root}workers/${workerId}`,
    fire: (name, fireId) => `${root}lock/${name}/${fireId}`,
    fires: (name) => ({
      key: `${root}lock/${name}/`,
      rangeEnd: prefixEnd(`${root}lock/${name}/`),
    }),
    slot: (name, index) => `${root}slot/${name}/${index}`,
    trigger: (name, triggerId) => `${root}trigger/${name}/${triggerId}`,
    triggers: (name) => ({
      key: `${root}trigger/${name}/`,
      rangeEnd: prefixEnd(`${root}trigger/${name}/`),
    }),
    queued: (name) => ({
      key: `${root}trigger/${name}/${queuedMark}`,
      rangeEnd: prefixEnd(`${root}trigger/${name}/${queuedMark}`),
    }),
    once: (requestId) => `${root}once/${requestId}`,
    watch: (runId) => `${root}watch/${runId}`,
    killer: (name, runId) => `${root}killer/${name}${runId === undefined ? '' : `/${runId}`}`,
    done: (name, id) => `${root}done/${name}/${id}`,
    dones: (name) => ({ key: `${root}done/${name}/`, rangeEnd: prefixEnd(`${root}done/${name}/`) }),
    state: (name) => `${root}state/${name}`,
    parse: (key) => (key.startsWith(root) ? parsePath(key.slice(root.length)) : undefined),
  };
}

/** How ids of triggers begin that stand for queued ticks; no other trigger's does. */
const queuedMark = 'q';

/** Id of the trigger that stands for a queued tick (epoch ms). */
export function queuedTriggerId(tick: number): string {
  return `${queuedMark}${tick}`;
}

export function isQueuedTrigger(triggerId: string): boolean {
  return triggerId.startsWith(queuedMark);
}

const namedKinds: Readonly<Record<string, 'job' | 'cursor' | 'state'>> = {
  jobs: 'job',
  cursor: 'cursor',
  state: 'state',
};
const idKinds: Readonly<Record<string, IdKind>> = {
  session: 'session',
  workers: 'worker',
  once: 'once',
  calendars: 'calendar',
  settings: 'setting',
  watch: 'watch',
};
const pairKinds: Readonly<Record<string, 'fire' | 'trigger' | 'done' | 'slot'>> = {
  lock: 'fire',
  trigger: 'trigger',
  done: 'done',
  slot: 'slot',
};

function parsePath(path: string): ParsedKey | undefined {
  if (path === 'cluster' || path === 'pruned') return { kind: path };
  const slash = path.indexOf('/');
  if (slash < 1) return undefined;
  const folder = path.slice(0, slash);
  const rest = path.slice(slash + 1);
  if (rest === '') return undefined;
  const named = lookup(namedKinds, folder);
  if (named !== undefined) return { kind: named, name: rest };
  const withId = lookup(idKinds, folder);
  if (withId !== undefined) return { kind: withId, id: rest };
  const second = rest.indexOf('/');
  const name = second < 0 ? rest : rest.slice(0, second);
  const id = second < 0 ? undefined : rest.slice(second + 1);
  // With nothing after its slash it names neither a run nor all of them.
  if (folder === 'killer' && id === '') return undefined;
  if (folder === 'killer') return { kind: 'killer', name, id };
  const pair = lookup(pairKinds, folder);
  if (pair === undefined || name === '' || id === undefined || id === '') return undefined;
  return { kind: pair, name, id };
}

function lookup<T>(table: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(table, key) ? table[key] : undefined;
}
