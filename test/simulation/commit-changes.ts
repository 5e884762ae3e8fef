/**
 * One commit of the simulated etcd, taken apart by job and kind of key, and its values read without the
 * schemas of the code under test.
 */
import type { CommitEvent } from './etcd-store.ts';
import type { Json } from './job-book.ts';

export const root = '/cron/';

export interface Changes {
  job: CommitEvent | undefined;
  cursor: CommitEvent | undefined;
  state: CommitEvent | undefined;
  readonly fires: [string, CommitEvent][];
  readonly triggers: [string, CommitEvent][];
  readonly dones: [string, CommitEvent][];
  readonly orders: [string, CommitEvent][];
}

export function byJob(events: readonly CommitEvent[]): Map<string, Changes> {
  const jobs = new Map<string, Changes>();
  for (const event of events) {
    if (!event.key.startsWith(root)) continue;
    const [folder = '', name = '', ...rest] = event.key.slice(root.length).split('/');
    if (folder === 'session' || folder === 'workers' || folder === 'once') continue;
    if (folder === 'calendars') continue;
    let changes = jobs.get(name);
    if (changes === undefined) {
      changes = {
        job: undefined,
        cursor: undefined,
        state: undefined,
        fires: [],
        triggers: [],
        dones: [],
        orders: [],
      };
      jobs.set(name, changes);
    }
    const id = rest.join('/');
    if (folder === 'jobs') changes.job = event;
    else if (folder === 'cursor') changes.cursor = event;
    else if (folder === 'state') changes.state = event;
    else if (folder === 'lock') changes.fires.push([id, event]);
    else if (folder === 'trigger') changes.triggers.push([id, event]);
    else if (folder === 'done') changes.dones.push([id, event]);
    else if (folder === 'killer') changes.orders.push([id, event]);
  }
  return jobs;
}

export function readCursor(
  value: string | undefined,
): { tick: number; schedule: string } | undefined {
  if (value === undefined || !/^\d{16} \S/.test(value)) return undefined;
  return { tick: Number(value.slice(0, 16)), schedule: value.slice(17) };
}

export function parse(value: Buffer): Json {
  try {
    return JSON.parse(value.toString()) as Json;
  } catch {
    return {};
  }
}

export function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
