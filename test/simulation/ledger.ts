/**
 * Independent bookkeeping over every commit of the simulated etcd: what had to be accounted for, and
 * what accounts for it. It reads keys and values by itself, asks no worker, and works out expected
 * ticks from the sequence of cursors alone: whatever a cursor moves past must be accounted for in the
 * very same revision, once.
 */
import type { Commit, CommitEvent, EtcdStore } from './etcd-store.ts';
import { earlyBoundMs } from './bounds.ts';
import type { Account, LedgerBackup, Settlement } from './accounts.ts';
import { CalendarBook } from './calendar-book.ts';
import { byJob, parse, readCursor, root, text, type Changes } from './commit-changes.ts';
import { DecisionChecks } from './decision-checks.ts';
import { JobBook, readDefinition, type FireBook, type Json } from './job-book.ts';
import { OrderBook } from './order-book.ts';
import { countedIn } from './schedules.ts';
import type { SimTime } from './sim-time.ts';
import type { Violations } from './violations.ts';

const beats = `${root}workers/`;

export class Ledger {
  readonly books = new Map<string, JobBook>();
  readonly orders: OrderBook;
  readonly settlements: Settlement[] = [];
  readonly firesByRun = new Map<string, FireBook>();
  readonly calendars: CalendarBook;
  readonly #requests = new Map<string, string>();
  #notRunIds = new Set<string>();
  readonly #store: EtcdStore;
  readonly #time: SimTime;
  readonly #violations: Violations;
  readonly #checks: DecisionChecks;
  expectedTicks = 0;
  claims = 0;
  /** Counts the restores of etcd. */
  timeline = 0;
  /** Ticks from here on (true wall time) are started, when there is room, or refused for a reason. */
  mustRunFromMs = Infinity;
  hasRoom: () => boolean = () => false;
  onClaimed: (fire: FireBook) => void = () => undefined;
  /** Called when a fire is settled as lost, or ended. */
  onSettled: (fire: FireBook, kind: Settlement['kind']) => void = () => undefined;

  constructor(store: EtcdStore, time: SimTime, violations: Violations) {
    this.#store = store;
    this.#time = time;
    this.#violations = violations;
    this.#checks = new DecisionChecks(store, violations);
    this.orders = new OrderBook(violations);
    this.calendars = new CalendarBook(time, violations, this.books);
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

  /** A person's request to trigger; two with one id may put one trigger only. */
  noteRequest(triggerId: string, requestId: string): void {
    this.#requests.set(triggerId, requestId);
  }

  backup(): LedgerBackup {
    return {
      books: new Map([...this.books].map(([name, book]) => [name, book.backup()])),
      notRunIds: new Set(this.#notRunIds),
      settlements: new Set(this.settlements),
      calendars: this.calendars.backup(),
      orders: this.orders.backup(),
    };
  }

  /** etcd is what it was at the backup; what has run since has run all the same. */
  restore(backup: LedgerBackup): void {
    this.timeline++;
    for (const fire of this.firesByRun.values()) fire.isForgotten = true;
    for (const [name, book] of this.books) book.restore(backup.books.get(name));
    this.orders.restore(backup.orders);
    this.calendars.restore(backup.calendars);
    this.#notRunIds = new Set(backup.notRunIds);
    for (const each of this.settlements) {
      if (!backup.settlements.has(each)) each.isForgotten = true;
    }
  }

  #commit({ revision, events }: Commit): void {
    // Most commits are one beat.
    if (events.length === 1 && events[0]?.key.startsWith(beats) === true) return;
    for (const [name, changes] of byJob(events)) this.#apply(this.book(name), changes, revision);
    for (const event of events) this.calendars.apply(event);
  }

  #apply(book: JobBook, changes: Changes, revision: number): void {
    this.#checks.noteFirstCount(book, changes);
    const accounts = this.#newAccounts(book, changes, revision);
    if (changes.cursor !== undefined) this.#moveCursor(book, changes.cursor, accounts);
    else if (accounts.length > 0) {
      this.#bad('one account a tick', book, `${accounts[0]?.what ?? ''} without moving the cursor`);
    }
    if (changes.job !== undefined) this.#defined(book, changes.job, revision);
    // A re-base moves cursors as they are; whoever is to change what they count comes after it.
    if (changes.cursor?.kv !== undefined && !this.#isRebasing()) {
      this.#checks.counts(book, changes.cursor.kv);
    }
    this.#triggers(book, changes);
    this.#goneFires(book, changes, revision);
    this.orders.note(book, changes, revision, this.#time.nowMs);
  }

  #isRebasing(): boolean {
    return this.#store.get(`${root}cluster`)?.value.includes('"rebase"') === true;
  }

  #defined(book: JobBook, { kv, previous }: CommitEvent, revision: number): void {
    const definition = kv === undefined ? undefined : readDefinition(kv, revision);
    const base = definition?.base;
    // A pause by a master keeps all that was there, and so the mark of an edit before it.
    const isEdit = definition?.command !== book.current?.command;
    if (isEdit && base !== undefined && base !== (previous?.modRevision ?? 0)) {
      this.#bad('an edit replaces only what it saw', book, `saw ${base}`);
    }
    book.definitions.push({ atMs: this.#time.nowMs, revision, definition });
  }

  #moveCursor(book: JobBook, { kv, previous }: CommitEvent, accounts: readonly Account[]): void {
    const before = readCursor(previous?.value.toString());
    const now = readCursor(kv?.value.toString());
    if (kv === undefined) {
      this.#checks.swept(book, before?.schedule);
      return;
    }
    if (now === undefined) {
      this.#bad('a cursor is well formed', book, kv.value.toString());
      return;
    }
    // Not even over the sweep of a tombstone.
    if (now.tick < book.newestCursor) {
      this.#bad('a cursor never goes back', book, `${book.newestCursor} to ${now.tick}`);
    }
    book.newestCursor = now.tick;
    if (before === undefined) return;
    const counted = countedIn(before.schedule);
    const due = counted?.schedule.ticksIn(before.tick, now.tick) ?? [];
    this.expectedTicks += due.length;
    for (const tick of due) {
      const by = accounts.filter(({ covers }) => covers(tick));
      if (by.length !== 1 || book.accounted.has(tick)) {
        const found = by.map(({ what }) => what).join(' and ') || 'nothing';
        this.#bad('one account a tick', book, `tick ${tick} is accounted for by ${found}`);
      }
      book.accounted.add(tick);
    }
    for (const { what, covers, value } of accounts) {
      const ticks = due.filter(covers);
      if (ticks.length === 0) this.#bad('one account a tick', book, `${what} covers no due tick`);
      const session = text(value?.['session']) ?? '';
      // A decision about ticks moves the cursor to the last of them, an edit or an adoption to now.
      const isDecided = session !== '' && value?.['toTick'] === now.tick;
      if (isDecided && this.#store.get(`${root}session/${session}`) === undefined) {
        this.#bad('only a live session decides', book, what);
      }
      if (ticks.length > 0 && counted !== undefined)
        this.calendars.check(book, counted, ticks, value);
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
      if (id === `t${fire.tick}`) {
        accounts.push({ what: `run ${fire.runId}`, covers: (tick) => tick === fire.tick });
      }
    }
    // A tick that waits its turn, or is caught up on: its trigger accounts for it, and is accounted for.
    for (const [id, { kv }] of changes.triggers) {
      const match = /^[cq](\d+)$/.exec(id);
      if (kv === undefined || match === null) continue;
      const stood = Number(match[1]);
      accounts.push({ what: `trigger ${id}`, covers: (tick) => tick === stood });
    }
    for (const [id, { kv }] of changes.dones) {
      if (kv === undefined) continue;
      const value = parse(kv.value);
      if (value['outcome'] === 'lost') continue;
      this.#notRun(book, id, value);
      const isOf = ([key]: readonly [string, CommitEvent]): boolean => key === value['fireId'];
      const isOfFire = changes.triggers.some(isOf) || changes.fires.some(isOf);
      if (value['cause'] !== 'tick' || isOfFire) continue;
      const from = Number(value['fromTick']);
      const to = Number(value['toTick']);
      const excepted = new Set((value['excepted'] ?? []) as readonly number[]);
      accounts.push({
        what: `${text(value['outcome']) ?? ''} (${from}, ${to}]`,
        covers: (tick) => tick > from && tick <= to && !excepted.has(tick),
        value,
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
      origin: this.#originOf(book, id),
      claimRevision: revision,
      claimedAtMs: this.#time.nowMs,
      definition: book.current,
      timeline: this.timeline,
      isOpen: true,
      isForgotten: false,
      closedRevision: undefined,
    };
    this.claims++;
    this.#checks.claim(book, fire, value, this.#time);
    const key = `${fire.origin}/${fire.attempt}/${fire.jobCreate}`;
    if (book.claimed.has(key)) this.#bad('one run a fire', book, `${key} is claimed twice`);
    book.claimed.add(key);
    book.fires.set(id, fire);
    this.firesByRun.set(fire.runId, fire);
    this.onClaimed(fire);
    return fire;
  }

  /** Which fire a claim is an attempt of: a tick, or a person's trigger. */
  #originOf(book: JobBook, id: string): string {
    const tick = /^[tcq](\d+)$/.exec(id)?.[1];
    if (tick !== undefined) return `t${tick}`;
    if (!id.startsWith('y')) return id;
    const former = this.firesByRun.get(id.slice(1));
    if (former === undefined) this.#bad('a retry follows a run', book, id);
    return former?.origin ?? id;
  }

  #notRun(book: JobBook, id: string, value: Json): void {
    const outcome = text(value['outcome']) ?? '';
    const reason = text(value['reason']) ?? '';
    const rowId = `${book.name}~${id}`;
    if (this.#notRunIds.has(rowId)) this.#bad('one account a tick', book, `${id} is put twice`);
    this.#notRunIds.add(rowId);
    this.settlements.push({ name: book.name, kind: 'not-run', rowId, outcome, value });
    const to = Number(value['toTick']);
    if (
      reason.startsWith('no worker started') &&
      to + 2_000 > this.#time.trueWallMs + earlyBoundMs
    ) {
      this.#bad('nothing is written off early', book, `${to} is not 2 s old`);
    }
    if (reason.startsWith('no worker started') && to >= this.mustRunFromMs && this.hasRoom()) {
      this.#bad('in calm every tick is started', book, `${to} was not`);
    }
    const create = this.#store.get(`${root}jobs/${book.name}`)?.createRevision ?? 0;
    const isDecided = /^no worker started|^an earlier run|still open$|^another fire/.test(reason);
    if (isDecided && create !== Number(value['jobCreate'])) {
      this.#bad('a decision is from the current definition', book, `${id} is of a former life`);
    }
    if (/^an earlier run is|runs are still open$|^another fire is waiting/.test(reason)) {
      this.#checks.needHolders(book, id);
    }
    this.#checks.refusal(book, id, reason, Number(value['jobCreate']));
  }

  #triggers(book: JobBook, changes: Changes): void {
    for (const [id, { kv }] of changes.triggers) {
      if (kv !== undefined) {
        const request = this.#requests.get(id);
        if (request !== undefined && book.requests.has(request)) {
          this.#bad('one trigger a request', book, `${request} put a second one`);
        }
        if (request !== undefined) book.requests.add(request);
        this.#newTrigger(book, changes, id, parse(kv.value));
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
    const caughtUp = changes.triggers.filter(([id, { kv }]) => kv && id.startsWith('c')).length;
    if (caughtUp > (book.current?.catchUps ?? 0)) {
      this.#bad('a decision is from the current definition', book, `${caughtUp} are caught up on`);
    }
    // A run of a trigger must have used the trigger up.
    for (const [id, { kv, previous }] of changes.fires) {
      if (kv === undefined || previous || parse(kv.value)['cause'] === 'tick') continue;
      if (!changes.triggers.some(([trigger, event]) => trigger === id && event.kv === undefined)) {
        this.#bad('one account a trigger', book, `${id} was claimed without its trigger`);
      }
    }
  }

  #newTrigger(book: JobBook, changes: Changes, id: string, value: Json): void {
    const created = this.#store.get(`${root}jobs/${book.name}`)?.createRevision;
    if (!id.startsWith('y')) {
      if (created !== Number(value['jobCreate'])) {
        this.#bad('a trigger is of the life of its job', book, id);
      }
      if (id.startsWith('q')) this.#checks.queued(book, id);
      return;
    }
    // The next attempt comes with the end of the former one, in the same revision, once.
    const runId = id.slice(1);
    const former = this.firesByRun.get(runId);
    const isWithEnd = changes.fires.some(
      ([fireId, event]) => fireId === former?.fireId && event.kv === undefined,
    );
    if (former === undefined || !isWithEnd || Number(value['attempt']) !== former.attempt + 1) {
      this.#bad('a retry follows a run', book, `${id} without the end of its former attempt`);
    }
    if (book.retried.has(runId)) this.#bad('a run is retried once', book, runId);
    book.retried.add(runId);
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
      const isGivenUp = changes.dones.some(
        ([, event]) => event.kv !== undefined && parse(event.kv.value)['fireId'] === id,
      );
      if (lost === undefined && isGivenUp) {
        this.onSettled(fire, 'not-run');
        continue;
      }
      // The state of a job is of its present life; without one, history alone tells of the end.
      const lives = this.#store.get(`${root}jobs/${name}`)?.createRevision === fire.jobCreate;
      // A re-base does not know how the run ended, and says nothing of the job.
      const isRestored = lost !== undefined && parse(lost.value)['restored'] === true;
      if (own === undefined && lives && !isRestored) {
        this.#bad('one account a fire', book, `${id} is gone without one`);
        continue;
      }
      if (own !== undefined && !lives) {
        this.#bad('a state is of the life of its job', book, `${id} ended as ${own}`);
      }
      const settlement: Settlement =
        lost !== undefined
          ? { name, kind: 'lost', rowId: runId, outcome: 'lost', value: parse(lost.value) }
          : { name, kind: 'ended', rowId: runId, outcome: own ?? '', value: state };
      this.settlements.push(settlement);
      this.orders.settled(runId, settlement.outcome);
      if (!isRestored) this.#checks.retry(book, changes, fire, settlement.outcome);
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
