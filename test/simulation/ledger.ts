/**
 * Independent bookkeeping over every commit of the simulated etcd: what had to be accounted for, and
 * what accounts for it. It reads keys and values by itself, asks no worker, and works out expected
 * ticks from the sequence of cursors alone: whatever a cursor moves past must be accounted for in the
 * very same revision, once.
 */
import type { Commit, CommitEvent, EtcdStore } from './etcd-store.ts';
import { earlyBoundMs } from './bounds.ts';
import { JobBook, readDefinition, type FireBook, type Json } from './job-book.ts';
import { scheduleOfCanonical, ticksIn } from './schedules.ts';
import type { SimTime } from './sim-time.ts';
import type { Violations } from './violations.ts';

interface Changes {
  job: CommitEvent | undefined;
  cursor: CommitEvent | undefined;
  state: CommitEvent | undefined;
  readonly fires: [string, CommitEvent][];
  readonly triggers: [string, CommitEvent][];
  readonly dones: [string, CommitEvent][];
  readonly orders: [string, CommitEvent][];
}

interface Account {
  readonly what: string;
  readonly covers: (tick: number) => boolean;
}

export interface Order {
  readonly name: string;
  readonly runId: string | undefined;
  readonly revision: number;
}

/** How a fire that is gone from etcd was settled, or a decision that was no fire. */
export interface Settlement {
  readonly name: string;
  readonly kind: 'lost' | 'ended' | 'given-up' | 'not-run';
  /** Row of history that must tell of it. */
  readonly rowId: string;
  readonly outcome: string;
  readonly value: Json;
}

export const root = '/cron/';

export class Ledger {
  readonly books = new Map<string, JobBook>();
  /** By the token that names who gave them. */
  readonly orders = new Map<string, Order>();
  readonly settlements: Settlement[] = [];
  readonly firesByRun = new Map<string, FireBook>();
  readonly #requests = new Map<string, string>();
  readonly #store: EtcdStore;
  readonly #time: SimTime;
  readonly #violations: Violations;
  expectedTicks = 0;
  claims = 0;
  /** Called when a fire is settled as lost, or ended. */
  onSettled: (fire: FireBook, kind: Settlement['kind']) => void = () => undefined;

  constructor(store: EtcdStore, time: SimTime, violations: Violations) {
    this.#store = store;
    this.#time = time;
    this.#violations = violations;
    store.onCommit((commit) => this.#commit(commit));
  }

  book(name: string): JobBook {
    let book = this.books.get(name);
    if (book === undefined) {
      book = new JobBook(name);
      this.books.set(name, book);
    }
    return book;
  }

  /** A person's request to trigger; two with one request id may put one trigger only. */
  noteRequest(triggerId: string, requestId: string): void {
    this.#requests.set(triggerId, requestId);
  }

  #commit({ revision, events }: Commit): void {
    for (const [name, changes] of byJob(events)) this.#apply(this.book(name), changes, revision);
  }

  #apply(book: JobBook, changes: Changes, revision: number): void {
    const accounts = this.#newAccounts(book, changes, revision);
    if (changes.cursor !== undefined) this.#moveCursor(book, changes.cursor, accounts);
    else if (accounts.length > 0) {
      this.#bad('one account a tick', book, `${accounts[0]?.what ?? ''} without moving the cursor`);
    }
    if (changes.job !== undefined) this.#defined(book, changes.job, revision);
    this.#triggers(book, changes);
    this.#goneFires(book, changes, revision);
    for (const [id, { kv }] of changes.orders) {
      if (kv === undefined) continue;
      const by = text(parse(kv.value)['by']) ?? `unsigned ${book.name}`;
      this.orders.set(by, { name: book.name, runId: id === '' ? undefined : id, revision });
    }
  }

  #defined(book: JobBook, { kv, previous }: CommitEvent, revision: number): void {
    const definition = kv === undefined ? undefined : readDefinition(kv, revision);
    const base = definition?.base;
    if (base !== undefined && base !== (previous?.modRevision ?? 0)) {
      this.#bad('an edit replaces only what it saw', book, `saw ${base}`);
    }
    book.definitions.push({ atMs: this.#time.nowMs, revision, definition });
  }

  #moveCursor(book: JobBook, { kv, previous }: CommitEvent, accounts: readonly Account[]): void {
    const before = readCursor(previous?.value.toString());
    const now = readCursor(kv?.value.toString());
    if (now === undefined) {
      this.#bad('a cursor is well formed', book, kv?.value.toString() ?? 'deleted');
      return;
    }
    if (before === undefined) return;
    if (now.tick < before.tick) {
      this.#bad('a cursor never goes back', book, `${before.tick} to ${now.tick}`);
    }
    const schedule = scheduleOfCanonical(before.schedule);
    const due = schedule === undefined ? [] : ticksIn(schedule, before.tick, now.tick);
    this.expectedTicks += due.length;
    for (const tick of due) {
      const by = accounts.filter(({ covers }) => covers(tick));
      if (by.length !== 1 || book.accounted.has(tick)) {
        const found = by.map(({ what }) => what).join(' and ') || 'nothing';
        this.#bad('one account a tick', book, `tick ${tick} is accounted for by ${found}`);
      }
      book.accounted.add(tick);
    }
    for (const { what, covers } of accounts) {
      if (!due.some(covers)) this.#bad('one account a tick', book, `${what} covers no due tick`);
    }
  }

  #newAccounts(book: JobBook, changes: Changes, revision: number): Account[] {
    const accounts: Account[] = [];
    for (const [id, { kv, previous }] of changes.fires) {
      if (kv === undefined) continue;
      const value = parse(kv.value);
      if (previous !== undefined) {
        if (parse(previous.value)['runId'] !== value['runId']) {
          this.#bad('one run a fire', book, `${id} passed to another run`);
        }
        continue;
      }
      const fire = this.#claimed(book, id, value, revision);
      if (fire.cause === 'tick') {
        accounts.push({ what: `run ${fire.runId}`, covers: (tick) => tick === fire.tick });
      }
    }
    for (const [id, { kv }] of changes.dones) {
      if (kv === undefined) continue;
      const value = parse(kv.value);
      if (value['outcome'] === 'lost') continue;
      this.#notRun(book, id, value);
      if (value['cause'] !== 'tick') continue;
      const from = Number(value['fromTick']);
      const to = Number(value['toTick']);
      accounts.push({
        what: `${text(value['outcome']) ?? ''} (${from}, ${to}]`,
        covers: (tick) => tick > from && tick <= to,
      });
    }
    return accounts;
  }

  #claimed(book: JobBook, id: string, value: Json, revision: number): FireBook {
    const fire: FireBook = {
      name: book.name,
      fireId: id,
      runId: text(value['runId']) ?? '',
      session: text(value['session']) ?? '',
      worker: text(value['worker']) ?? '',
      cause: text(value['cause']) ?? '',
      tick: Number(value['tick']),
      attempt: Number(value['attempt']),
      jobCreate: Number(value['jobCreate']),
      claimRevision: revision,
      claimedAtMs: this.#time.nowMs,
      isOpen: true,
      closedRevision: undefined,
    };
    this.claims++;
    const definition = book.current;
    const others = this.#store
      .withPrefix(`${root}lock/${book.name}/`)
      .filter(({ key }) => !key.endsWith(`/${id}`));
    const kv = this.#store.get(`${root}jobs/${book.name}`);
    const isTick = fire.cause === 'tick';
    if (definition === undefined || definition.isMalformed) {
      this.#bad('a claim is from the current definition', book, `${id}: there is none`);
    } else {
      if (kv?.createRevision !== fire.jobCreate) {
        this.#bad('a claim is from the current definition', book, `${id} is of a former life`);
      }
      if (isTick && !definition.enabled) {
        this.#bad('a claim is from the current definition', book, `${id} while paused`);
      }
      if (definition.forbid && others.length > 0) {
        this.#bad(
          'one open fire where overlap is forbidden',
          book,
          `${id} beside ${others.length}`,
        );
      }
    }
    if (this.#store.get(`${root}session/${fire.session}`) === undefined) {
      this.#bad('only a live session claims', book, `${id} by ${fire.worker}`);
    }
    if (isTick && fire.tick > this.#time.trueWallMs + earlyBoundMs) {
      this.#bad('no claim before its tick', book, `${id} claimed by ${fire.worker}`);
    }
    const key = `${fire.fireId}/${fire.attempt}/${fire.jobCreate}`;
    if (book.claimed.has(key)) this.#bad('one run a fire', book, `${key} is claimed twice`);
    book.claimed.add(key);
    book.fires.set(id, fire);
    this.firesByRun.set(fire.runId, fire);
    return fire;
  }

  #notRun(book: JobBook, id: string, value: Json): void {
    const outcome = text(value['outcome']) ?? '';
    const reason = text(value['reason']) ?? '';
    const rowId = `${book.name}~${id}`;
    if (this.settlements.some((settlement) => settlement.rowId === rowId)) {
      this.#bad('one account a tick', book, `${id} is put twice`);
    }
    this.settlements.push({ name: book.name, kind: 'not-run', rowId, outcome, value });
    const to = Number(value['toTick']);
    if (
      reason.startsWith('no worker started') &&
      to + 2_000 > this.#time.trueWallMs + earlyBoundMs
    ) {
      this.#bad('nothing is written off early', book, `${to} is not 2 s old`);
    }
    if (reason.startsWith('an earlier run is still open')) {
      const holders = this.#store.withPrefix(`${root}lock/${book.name}/`);
      const isHeld = holders.some(({ value: held }) => {
        const session = text(parse(held)['session']) ?? '';
        return this.#store.get(`${root}session/${session}`) !== undefined;
      });
      if (!isHeld) this.#bad('a fire is refused only for a live holder', book, `${id}: no holder`);
    }
    this.#refusal(book, id, reason, Number(value['jobCreate']));
  }

  /** A trigger is refused for what is so, not for what a worker once saw. */
  #refusal(book: JobBook, id: string, reason: string, jobCreate: number): void {
    const { current } = book;
    const create = this.#store.get(`${root}jobs/${book.name}`)?.createRevision ?? 0;
    const isTrue =
      reason === 'the job was deleted'
        ? current === undefined
        : reason === 'the job was deleted and made anew'
          ? create !== jobCreate
          : reason === 'the definition is not valid'
            ? current?.isMalformed === true
            : reason === 'the job is paused'
              ? current?.enabled === false
              : true;
    if (!isTrue) this.#bad('a trigger is refused for a true reason', book, `${id}: ${reason}`);
  }

  #triggers(book: JobBook, changes: Changes): void {
    for (const [id, { kv }] of changes.triggers) {
      if (kv !== undefined) {
        const request = this.#requests.get(id);
        if (request !== undefined && book.requests.has(request)) {
          this.#bad('one trigger a request', book, `${request} put a second one`);
        }
        if (request !== undefined) book.requests.add(request);
        const created = this.#store.get(`${root}jobs/${book.name}`)?.createRevision;
        if (created !== Number(parse(kv.value)['jobCreate'])) {
          this.#bad('a trigger is of the life of its job', book, id);
        }
        continue;
      }
      const runs = changes.fires.filter(([fireId, event]) => fireId === id && event.kv);
      const skips = changes.dones.filter(
        ([, event]) => event.kv !== undefined && parse(event.kv.value)['fireId'] === id,
      );
      if (runs.length + skips.length !== 1) {
        this.#bad(
          'one account a trigger',
          book,
          `${id}: ${runs.length} runs, ${skips.length} skips`,
        );
      }
    }
    // A run of a trigger must have used the trigger up.
    for (const [id, { kv, previous }] of changes.fires) {
      if (kv === undefined || previous !== undefined || parse(kv.value)['cause'] === 'tick')
        continue;
      if (!changes.triggers.some(([trigger, event]) => trigger === id && event.kv === undefined)) {
        this.#bad('one account a trigger', book, `${id} was claimed without its trigger`);
      }
    }
  }

  #goneFires(book: JobBook, changes: Changes, revision: number): void {
    const state = changes.state?.kv === undefined ? {} : parse(changes.state.kv.value);
    for (const [id, { kv }] of changes.fires) {
      const fire = book.fires.get(id);
      if (kv !== undefined || fire === undefined) continue;
      fire.isOpen = false;
      fire.closedRevision = revision;
      book.fires.delete(id);
      const lost = changes.dones.find(([done]) => done === `lost-${fire.runId}`)?.[1].kv;
      const { name, runId } = fire;
      const own = state['runId'] === runId ? text(state['outcome']) : undefined;
      const settlement: Settlement =
        lost !== undefined
          ? { name, kind: 'lost', rowId: runId, outcome: 'lost', value: parse(lost.value) }
          : own !== undefined
            ? { name, kind: 'ended', rowId: runId, outcome: own, value: state }
            : {
                name,
                kind: 'given-up',
                rowId: `${name}~skipped-${fire.jobCreate}-${fire.fireId}`,
                outcome: 'skipped',
                value: {},
              };
      this.settlements.push(settlement);
      const reason = text(settlement.value['reason']) ?? '';
      if (settlement.kind === 'lost' && reason.endsWith('vanished')) {
        const session = text((settlement.value['fire'] as Json)['session']) ?? '';
        if (this.#store.get(`${root}session/${session}`) !== undefined) {
          this.#bad('only a vanished session is settled', book, `${id} of ${fire.worker}`);
        }
      }
      this.onSettled(fire, settlement.kind);
    }
    for (const [id, { kv }] of changes.dones) {
      if (kv === undefined || !id.startsWith('lost-')) continue;
      const runId = id.slice('lost-'.length);
      const isSettled = changes.fires.some(
        ([, event]) => event.kv === undefined && event.previous?.value.includes(runId) === true,
      );
      if (!isSettled) this.#bad('a run is settled once', book, `${runId} is lost without a fire`);
    }
  }

  #bad(invariant: string, book: JobBook, detail: string): void {
    this.#violations.report(invariant, `${book.name}: ${detail}`);
  }
}

function byJob(events: readonly CommitEvent[]): Map<string, Changes> {
  const jobs = new Map<string, Changes>();
  for (const event of events) {
    if (!event.key.startsWith(root)) continue;
    const [folder = '', name = '', ...rest] = event.key.slice(root.length).split('/');
    if (folder === 'session' || folder === 'workers' || folder === 'once') continue;
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

function readCursor(value: string | undefined): { tick: number; schedule: string } | undefined {
  if (value === undefined || !/^\d{16} \S/.test(value)) return undefined;
  return { tick: Number(value.slice(0, 16)), schedule: value.slice(17) };
}

function parse(value: Buffer): Json {
  try {
    return JSON.parse(value.toString()) as Json;
  } catch {
    return {};
  }
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
