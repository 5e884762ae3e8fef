/** What the bookkeeping knows of one job name. */
import type { KeyValue } from '../../shared/etcd/port.ts';
import { scheduleOfExpression, textOf } from './schedules.ts';

export type Json = Readonly<Record<string, unknown>>;

export interface DefinitionBook {
  readonly revision: number;
  readonly isMalformed: boolean;
  /** Of a form that is to come: nobody may touch what is the job's. */
  readonly isNewer: boolean;
  readonly enabled: boolean;
  /** How many runs may be open; Infinity when there is no limit. */
  readonly limit: number;
  /** What a cursor of it counts. */
  readonly counted: string;
  readonly calendars: readonly string[];
  readonly concurrency: string;
  /** How many ticks of one write-off may be caught up on. */
  readonly catchUps: number;
  readonly retries: { readonly max: number; readonly on: readonly string[] };
  /** Unique for every definition that was ever put. */
  readonly command: string;
  /** The revision that its editor saw; undefined when it was put by hand. */
  readonly base: number | undefined;
}

export interface FireBook {
  readonly name: string;
  readonly fireId: string;
  readonly runId: string;
  readonly session: string;
  readonly worker: string;
  readonly cause: string;
  readonly tick: number;
  readonly attempt: number;
  /** The tick or the trigger that this is an attempt of. */
  readonly origin: string;
  readonly jobCreate: number;
  readonly claimRevision: number;
  readonly claimedAtMs: number;
  /** What it was claimed from. */
  readonly definition: DefinitionBook | undefined;
  /** Counts the restores of etcd before its claim. */
  readonly timeline: number;
  isOpen: boolean;
  /** etcd was restored from a backup that does not show it as open: nobody knows of it any more. */
  isForgotten: boolean;
  /** Of the commit that settled it. */
  closedRevision: number | undefined;
}

interface DefinitionPoint {
  readonly atMs: number;
  readonly revision: number;
  readonly definition: DefinitionBook | undefined;
}

/** What a backup of etcd knows of a job. */
export type JobBookBackup = Pick<
  JobBook,
  | 'definitions'
  | 'accounted'
  | 'newestCursor'
  | 'firstCount'
  | 'claimed'
  | 'requests'
  | 'retried'
  | 'fires'
>;

export class JobBook {
  readonly name: string;
  definitions: DefinitionPoint[] = [];
  accounted = new Set<number>();
  newestCursor = 0;
  /** Who first moved the cursor in the life that began at that create revision. */
  firstCount: { readonly jobCreate: number; readonly isEdit: boolean } | undefined;
  claimed = new Set<string>();
  requests = new Set<string>();
  retried = new Set<string>();
  /** Open ones, by fire id. */
  fires = new Map<string, FireBook>();

  constructor(name: string) {
    this.name = name;
  }

  backup(): JobBookBackup {
    return {
      definitions: [...this.definitions],
      accounted: new Set(this.accounted),
      newestCursor: this.newestCursor,
      firstCount: this.firstCount,
      claimed: new Set(this.claimed),
      requests: new Set(this.requests),
      retried: new Set(this.retried),
      fires: new Map(this.fires),
    };
  }

  /** What happened since then did not happen; fires that were open then are open again. */
  restore(backup: JobBookBackup | undefined): void {
    const known = backup ?? new JobBook(this.name);
    this.definitions = [...known.definitions];
    this.accounted = new Set(known.accounted);
    this.newestCursor = known.newestCursor;
    this.firstCount = known.firstCount;
    this.claimed = new Set(known.claimed);
    this.requests = new Set(known.requests);
    this.retried = new Set(known.retried);
    this.fires = new Map(known.fires);
    for (const fire of this.fires.values()) {
      fire.isOpen = true;
      fire.isForgotten = false;
      fire.closedRevision = undefined;
    }
  }

  get current(): DefinitionBook | undefined {
    return this.definitions.at(-1)?.definition;
  }

  at(revision: number): DefinitionBook | undefined {
    return this.definitions.findLast((point) => point.revision <= revision)?.definition;
  }

  /** When the definition that was current at `revision` was replaced; undefined when it was not. */
  replacedAtMs(revision: number): number | undefined {
    return this.definitions.find((point) => point.revision > revision)?.atMs;
  }
}

const malformed = {
  isMalformed: true,
  isNewer: false,
  enabled: false,
  limit: 1,
  counted: '-',
  calendars: [],
  concurrency: '',
  catchUps: 0,
  retries: { max: 0, on: [] },
  command: '',
  base: undefined,
} as const;

export function readDefinition(kv: KeyValue, revision: number): DefinitionBook {
  let value: Json;
  try {
    value = JSON.parse(kv.value.toString()) as Json;
  } catch {
    return { ...malformed, revision };
  }
  if (Number(value['schemaVersion'] ?? 1) > 1) {
    return { ...malformed, revision, isNewer: true, counted: 'what it did' };
  }
  const { command, cronExpr, description, concurrency, misfire } = value;
  const isWhole = typeof command === 'string' && typeof cronExpr === 'string';
  const schedule = isWhole ? scheduleOfExpression(cronExpr, value['timezone']) : undefined;
  if (!isWhole || schedule === undefined) return { ...malformed, revision };
  const calendars = (value['calendars'] ?? []) as readonly string[];
  const base = /^base (\d+)$/.exec(typeof description === 'string' ? description : '')?.[1];
  return {
    revision,
    isMalformed: false,
    isNewer: false,
    enabled: value['enabled'] !== false,
    limit: concurrency === 'allow' ? Number(value['maxConcurrent'] ?? Infinity) : 1,
    counted: value['enabled'] === false ? '-' : textOf({ schedule, calendars }),
    calendars,
    concurrency: typeof concurrency === 'string' ? concurrency : 'forbid',
    catchUps: misfire === 'skip' ? 0 : misfire === 'all' ? Number(value['misfireLimit']) : 1,
    retries: { max: 0, on: ['failed', 'timed-out', 'lost'], ...(value['retries'] as object) },
    command,
    base: base === undefined ? undefined : Number(base),
  };
}
