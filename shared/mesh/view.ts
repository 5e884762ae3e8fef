/**
 * The live state of the mesh as one process sees it, fed by one list-then-watch over the whole
 * prefix so that everything in it is of one revision. A re-list builds a second view aside and swaps
 * it in when it is whole, so nobody ever reads half a mesh. Readers decide on it, but never trust
 * it: every transaction guards what it assumed.
 */
import { readCalendarEntry, type CalendarEntry } from '../calendar/calendar-entry.ts';
import type { KeyValue, MirrorConsumer, WatchEvent } from '../etcd/port.ts';
import { ownText } from '../intern.ts';
import type { Keys, ParsedKey } from '../protocol/keys.ts';
import {
  clusterSchema,
  decodeValue,
  doneSchema,
  fireSchema,
  sessionSchema,
  stateSchema,
  triggerSchema,
  workerSchema,
  type ClusterValue,
  type DoneValue,
  type FireValue,
  type OrderValue,
  type SessionValue,
  type StateValue,
  type TriggerValue,
  type WorkerValue,
} from '../protocol/values.ts';
import { readCursorEntry, type CursorEntry } from './cursor-entry.ts';
import { emptyPart, isEmpty, setUnreadable, withEntry } from './job-parts.ts';
import { readJobEntry, type JobEntry } from './job-entry.ts';
import { heldOrder, ownKeyValue, readable } from './held-values.ts';
import type { UnreadableKey } from './unreadable.ts';

/** A parsed value with the revisions that guards compare. */
export interface Held<T> {
  readonly value: T;
  readonly createRevision: number;
  readonly modRevision: number;
}

/** The record of the cluster, with the bytes that guards compare. */
export interface ClusterEntry {
  readonly raw: string;
  readonly modRevision: number;
  /** Undefined when somebody wrote something else there. */
  readonly value: ClusterValue | undefined;
}

export interface HeldOrder extends Held<OrderValue> {
  /** Of the order as it was given; its answers move `modRevision` on, and never this. */
  readonly orderRevision: number;
  readonly lease: string;
}

/** All that the mesh holds about one name; jobs that are gone may still have parts here. */
export interface JobParts {
  readonly name: string;
  entry: JobEntry | undefined;
  cursor: CursorEntry | undefined;
  state: Held<StateValue> | undefined;
  fires: ReadonlyMap<string, Held<FireValue>>;
  triggers: ReadonlyMap<string, Held<TriggerValue>>;
  dones: ReadonlyMap<string, Held<DoneValue>>;
  /** By runId; the order against every run of the job is under ''. */
  orders: ReadonlyMap<string, HeldOrder>;
  /** What is held of the job's numbered slots, by number; the value is the holder's runId. */
  slots: ReadonlyMap<string, Held<string>>;
  /** Open fires and triggers, by id, that this version cannot read. */
  unreadable: Readonly<Record<'fire' | 'trigger', ReadonlyMap<string, UnreadableKey>>>;
}

export interface MeshSnapshot {
  cluster: ClusterEntry | undefined;
  readonly parts: Map<string, JobParts>;
  readonly sessions: Map<string, Held<SessionValue>>;
  readonly workers: Map<string, Held<WorkerValue>>;
  readonly calendars: Map<string, CalendarEntry>;
  /** Ids of runs whose output somebody watches. */
  readonly watched: Set<string>;
  /** Every key of the mesh's own that this version cannot read, by key. */
  readonly unreadable: Map<string, UnreadableKey>;
}

export type MeshChange =
  | { readonly type: 'resync' }
  | {
      readonly type: 'key';
      readonly key: ParsedKey;
      readonly deleted: boolean;
      /** What a worker's key was put to; the snapshot may have lost it again by the same batch. */
      readonly beat?: WorkerValue;
    };

export class MeshView implements MirrorConsumer {
  readonly #keys: Keys;
  readonly #listeners = new Set<(change: MeshChange) => void>();
  #now: MeshSnapshot = emptySnapshot();
  #listing: MeshSnapshot | undefined;
  #connected = false;
  #synced = false;
  #revision = 0;
  #newestPut: KeyValue | undefined;
  #newestListed: KeyValue | undefined;
  /** Counts what forget() told of; which of them the snapshot, and the listing, are of. */
  #states = 0;
  #state = 0;
  #listingState = 0;

  constructor(keys: Keys) {
    this.#keys = keys;
  }

  get snapshot(): MeshSnapshot {
    return this.#now;
  }

  get revision(): number {
    return this.#revision;
  }

  /** Of the state that the snapshot is of. */
  get newestPut(): KeyValue | undefined {
    return this.#newestPut;
  }

  /** True while the watch is known to be current. */
  get isConnected(): boolean {
    return this.#connected && this.#synced;
  }

  part(name: string): JobParts | undefined {
    return this.#now.parts.get(name);
  }

  onChange(listener: (change: MeshChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * etcd is in another state than was listed: there a definition may bear the revision of another one,
   * so nothing that was parsed is taken over into a listing until one that begins after this is whole.
   */
  forget(): void {
    this.#states += 1;
  }

  reset(): void {
    this.#listing = emptySnapshot();
    this.#newestListed = undefined;
    this.#listingState = this.#states;
  }

  items(kvs: readonly KeyValue[]): void {
    const target = this.#listing;
    if (target === undefined) throw new Error('items before reset');
    const isSameState = this.#state === this.#states && this.#listingState === this.#states;
    const former = isSameState ? this.#now : undefined;
    for (const kv of kvs) {
      const key = this.#keys.parse(kv.key);
      if (key === undefined) continue;
      applyPut(target, key, kv, former);
      if (kv.modRevision > (this.#newestListed?.modRevision ?? 0)) this.#newestListed = kv;
    }
  }

  synced(revision: number): void {
    if (this.#listing === undefined) throw new Error('synced before reset');
    this.#now = this.#listing;
    this.#state = this.#listingState;
    this.#listing = undefined;
    this.#newestPut = ownKeyValue(this.#newestListed);
    this.#newestListed = undefined;
    this.#revision = revision;
    this.#synced = true;
    this.#emit({ type: 'resync' });
  }

  events(events: readonly WatchEvent[], revision: number): void {
    this.#revision = revision;
    const changes: MeshChange[] = [];
    for (const event of events) {
      const key = this.#keys.parse(event.type === 'put' ? event.kv.key : event.key);
      if (key === undefined) continue;
      if (event.type === 'put') {
        applyPut(this.#now, key, event.kv);
        this.#newestPut = event.kv;
      } else {
        applyDelete(this.#now, key, event.key);
      }
      const beat = key.kind === 'worker' ? this.#now.workers.get(key.id)?.value : undefined;
      changes.push({
        type: 'key',
        key,
        deleted: event.type === 'delete',
        ...(beat === undefined ? {} : { beat }),
      });
    }
    // Listeners see the whole revision applied, never half of a transaction.
    for (const change of changes) this.#emit(change);
  }

  connected(connected: boolean): void {
    this.#connected = connected;
  }

  #emit(change: MeshChange): void {
    for (const listener of this.#listeners) listener(change);
  }
}

function emptySnapshot(): MeshSnapshot {
  return {
    cluster: undefined,
    parts: new Map(),
    sessions: new Map(),
    workers: new Map(),
    calendars: new Map(),
    watched: new Set(),
    unreadable: new Map(),
  };
}

function partOf(snapshot: MeshSnapshot, name: string): JobParts {
  let part = snapshot.parts.get(name);
  if (part === undefined) {
    // Here and there a name is a piece of a key.
    part = emptyPart(ownText(name));
    snapshot.parts.set(part.name, part);
  }
  return part;
}

/** `former` lets a re-list take over what did not change instead of parsing it again. */
function applyPut(
  snapshot: MeshSnapshot,
  key: ParsedKey,
  kv: KeyValue,
  former?: MeshSnapshot,
): void {
  switch (key.kind) {
    case 'cluster': {
      const raw = kv.value.toString();
      snapshot.cluster = {
        raw,
        modRevision: kv.modRevision,
        value: decodeValue(clusterSchema, raw),
      };
      return;
    }
    case 'job': {
      const part = partOf(snapshot, key.name);
      const known = former?.parts.get(key.name)?.entry;
      part.entry = known?.modRevision === kv.modRevision ? known : readJobEntry(part.name, kv);
      return;
    }
    case 'calendar': {
      const known = former?.calendars.get(key.id);
      const isKnown = known?.modRevision === kv.modRevision;
      snapshot.calendars.set(key.id, isKnown ? known : readCalendarEntry(key.id, kv));
      return;
    }
    case 'cursor': {
      const known = former?.parts.get(key.name)?.cursor;
      partOf(snapshot, key.name).cursor =
        known?.modRevision === kv.modRevision ? known : readCursorEntry(kv);
      return;
    }
    case 'state': {
      const known = former?.parts.get(key.name)?.state;
      partOf(snapshot, key.name).state =
        known?.modRevision === kv.modRevision ? known : readable(snapshot, stateSchema, kv);
      return;
    }
    case 'session':
      setOrDelete(snapshot.sessions, key.id, readable(snapshot, sessionSchema, kv));
      return;
    case 'worker':
      setOrDelete(snapshot.workers, key.id, readable(snapshot, workerSchema, kv));
      return;
    case 'fire':
    case 'trigger': {
      const part = partOf(snapshot, key.name);
      if (key.kind === 'fire') {
        part.fires = withEntry(part.fires, key.id, readable(snapshot, fireSchema, kv));
      } else {
        part.triggers = withEntry(part.triggers, key.id, readable(snapshot, triggerSchema, kv));
      }
      setUnreadable(part, key.kind, key.id, snapshot.unreadable.get(kv.key));
      return;
    }
    case 'done': {
      const part = partOf(snapshot, key.name);
      part.dones = withEntry(part.dones, key.id, readable(snapshot, doneSchema, kv));
      return;
    }
    case 'slot': {
      const part = partOf(snapshot, key.name);
      part.slots = withEntry(part.slots, key.id, {
        value: kv.value.toString(),
        createRevision: kv.createRevision,
        modRevision: kv.modRevision,
      });
      return;
    }
    case 'killer': {
      const part = partOf(snapshot, key.name);
      part.orders = withEntry(part.orders, key.id ?? '', heldOrder(kv));
      return;
    }
    case 'watch':
      snapshot.watched.add(key.id);
      return;
    case 'once':
    case 'setting':
    case 'pruned':
      return;
  }
}

function applyDelete(snapshot: MeshSnapshot, key: ParsedKey, text: string): void {
  snapshot.unreadable.delete(text);
  switch (key.kind) {
    case 'cluster':
      snapshot.cluster = undefined;
      return;
    case 'session':
      snapshot.sessions.delete(key.id);
      return;
    case 'worker':
      snapshot.workers.delete(key.id);
      return;
    case 'calendar':
      snapshot.calendars.delete(key.id);
      return;
    case 'watch':
      snapshot.watched.delete(key.id);
      return;
    case 'once':
    case 'setting':
    case 'pruned':
      return;
    default:
      deletePart(snapshot, key);
  }
}

function deletePart(snapshot: MeshSnapshot, key: Extract<ParsedKey, { name: string }>): void {
  const part = snapshot.parts.get(key.name);
  if (part === undefined) return;
  switch (key.kind) {
    case 'job':
      part.entry = undefined;
      break;
    case 'cursor':
      part.cursor = undefined;
      break;
    case 'state':
      part.state = undefined;
      break;
    case 'fire':
      part.fires = withEntry(part.fires, key.id, undefined);
      setUnreadable(part, key.kind, key.id, undefined);
      break;
    case 'trigger':
      part.triggers = withEntry(part.triggers, key.id, undefined);
      setUnreadable(part, key.kind, key.id, undefined);
      break;
    case 'done':
      part.dones = withEntry(part.dones, key.id, undefined);
      break;
    case 'killer':
      part.orders = withEntry(part.orders, key.id ?? '', undefined);
      break;
    case 'slot':
      part.slots = withEntry(part.slots, key.id, undefined);
      break;
  }
  if (isEmpty(part)) snapshot.parts.delete(key.name);
}

function setOrDelete<T>(map: Map<string, T>, id: string, value: T | undefined): void {
  if (value === undefined) map.delete(id);
  else map.set(id, value);
}
