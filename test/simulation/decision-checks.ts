/**
 * Whether what a worker decided was so at the moment of the decision, whatever it once saw: refusals,
 * holders of a job that is full, fires that wait.
 */
import type { KeyValue } from '../../shared/etcd/port.ts';
import { parse, readCursor, root, text, type Changes } from './commit-changes.ts';
import type { EtcdStore } from './etcd-store.ts';
import { earlyBoundMs, editorClockMs } from './bounds.ts';
import type { FireBook, JobBook, Json } from './job-book.ts';
import type { SimTime } from './sim-time.ts';
import type { Violations } from './violations.ts';

export class DecisionChecks {
  readonly #store: EtcdStore;
  readonly #violations: Violations;

  constructor(store: EtcdStore, violations: Violations) {
    this.#store = store;
    this.#violations = violations;
  }

  /** A cursor that counts another schedule than its definition's would have ticks that nobody meant. */
  counts(book: JobBook, { value }: KeyValue): void {
    const counted = readCursor(value.toString())?.schedule;
    const wanted = book.current === undefined ? 'x' : book.current.counted;
    if (counted !== wanted) {
      this.#bad(
        'a cursor counts what its definition says',
        book,
        `${counted ?? ''}, not ${wanted}`,
      );
    }
  }

  /** A fire that was just opened, and is in the store already. */
  claim(book: JobBook, fire: FireBook, value: Json, time: SimTime): void {
    const definition = book.current;
    const others = this.#store
      .withPrefix(`${root}lock/${book.name}/`)
      .filter(({ key }) => !key.endsWith(`/${fire.fireId}`));
    const kv = this.#store.get(`${root}jobs/${book.name}`);
    const isManual = fire.cause === 'manual';
    if (definition === undefined || definition.isMalformed) {
      this.#bad('a claim is from the current definition', book, `${fire.fireId}: there is none`);
    } else {
      if (kv?.createRevision !== fire.jobCreate) {
        this.#bad(
          'a claim is from the current definition',
          book,
          `${fire.fireId} is of a former life`,
        );
      }
      if (!isManual && !definition.enabled) {
        this.#bad('a claim is from the current definition', book, `${fire.fireId} while paused`);
      }
      if (others.length >= definition.limit) {
        const what = `${fire.fireId} beside ${others.length}, where ${definition.limit} may be`;
        this.#bad('never more open fires than the limit', book, what);
      }
    }
    this.notBeforeItsLife(book, fire, time);
    const slot = value['slot'];
    if (slot !== undefined && others.some(({ value: held }) => parse(held)['slot'] === slot)) {
      this.#bad('one fire a slot', book, `${fire.fireId} beside another in slot ${Number(slot)}`);
    }
    if (this.#store.get(`${root}session/${fire.session}`) === undefined) {
      this.#bad('only a live session claims', book, `${fire.fireId} by ${fire.worker}`);
    }
    if (!fire.origin.startsWith('m') && fire.tick > time.trueWallMs + earlyBoundMs) {
      this.#bad('no claim before its tick', book, `${fire.fireId} claimed by ${fire.worker}`);
    }
  }

  /** Of a commit, before what was claimed by it is looked at. */
  noteFirstCount(book: JobBook, { cursor, job }: Changes): void {
    const jobCreate = this.#store.get(`${root}jobs/${book.name}`)?.createRevision;
    if (cursor?.kv === undefined || jobCreate === undefined) return;
    if (book.firstCount?.jobCreate === jobCreate) return;
    // Who adopts a job leaves its definition as it is.
    book.firstCount = { jobCreate, isEdit: job !== undefined };
  }

  /** A job that is made anew is a new job: what fell due before it was made is not its own. */
  notBeforeItsLife(book: JobBook, fire: FireBook, time: SimTime): void {
    if (!fire.origin.startsWith('t')) return;
    const born = book.definitions.find(({ revision }) => revision === fire.jobCreate);
    if (born === undefined) return;
    const bornMs = time.trueWallMs - time.nowMs + born.atMs;
    // It counts from the clock of whoever first moves its cursor, by an edit or by adopting it; one
    // that was put in a form to come is adopted by nobody, and counts from the first edit that follows.
    const { firstCount } = book;
    const isByEditor = firstCount?.jobCreate === fire.jobCreate && firstCount.isEdit;
    const boundMs = isByEditor ? editorClockMs : earlyBoundMs;
    if (fire.tick < bornMs - boundMs) {
      const earlyMs = Math.round(bornMs - fire.tick);
      this.#bad('nothing before its own time fires', book, `${fire.fireId}, ${earlyMs} ms before`);
    }
  }

  /** Only a tombstone goes, and only when nothing of the job is left. */
  swept({ name }: JobBook, former: string | undefined): void {
    const folders = ['jobs/', 'lock/', 'trigger/', 'done/', 'state/'];
    const left = folders
      .flatMap((folder) => this.#store.withPrefix(`${root}${folder}${name}`))
      .filter(({ key }) => key.split('/')[3] === name);
    if (former === 'x' && left.length === 0) return;
    const what = left.map(({ key }) => key).join(', ');
    this.#violations.report('only a tombstone is swept', `${name}: ${former ?? ''} with ${what}`);
  }

  /** A dead holder's tick stays claimable until that holder is settled. */
  needHolders(book: JobBook, id: string): void {
    const holders = this.#store.withPrefix(`${root}lock/${book.name}/`);
    const live = holders.filter(({ value: held }) => {
      const session = text(parse(held)['session']) ?? '';
      return this.#store.get(`${root}session/${session}`) !== undefined;
    });
    if (live.length < (book.current?.limit ?? 1)) {
      this.#bad('a fire is refused only for live holders', book, `${id}: ${live.length} of them`);
    }
  }

  /** A trigger is refused for what is so, not for what a worker once saw. */
  refusal(book: JobBook, id: string, reason: string, jobCreate: number): void {
    const { current } = book;
    const create = this.#store.get(`${root}jobs/${book.name}`)?.createRevision ?? 0;
    const isTrue =
      reason === 'the job was deleted'
        ? current === undefined
        : reason === 'the job was deleted and made anew'
          ? create !== jobCreate
          : reason === 'the definition is not valid'
            ? current?.isMalformed === true && !current.isNewer
            : reason === 'the job is paused'
              ? current?.enabled === false
              : true;
    if (!isTrue) this.#bad('a trigger is refused for a true reason', book, `${id}: ${reason}`);
  }

  /** Where the definition did not change since the claim, it says whether there is another attempt. */
  retry(book: JobBook, changes: Changes, fire: FireBook, outcome: string): void {
    const definition = book.at(fire.claimRevision);
    if (definition === undefined || definition !== book.current) return;
    const { max, on } = definition.retries;
    const isDue = fire.attempt <= max && on.includes(outcome);
    const isPut = changes.triggers.some(([id, { kv }]) => kv && id === `y${fire.runId}`);
    if (isDue !== isPut) {
      const what = `${fire.fireId}, attempt ${fire.attempt} of ${max + 1}, ${outcome}`;
      this.#bad('what fails is tried again, as often as it says', book, what);
    }
  }

  queued(book: JobBook, id: string): void {
    this.needHolders(book, id);
    if (!['queue', 'replace'].includes(book.current?.concurrency ?? '')) {
      this.#bad('a decision is from the current definition', book, `${id} is queued`);
    }
    // Of a job that replaces, other triggers may wait beside the one tick.
    const queued = book.current?.concurrency === 'replace' ? 'q' : '';
    if (this.#store.withPrefix(`${root}trigger/${book.name}/${queued}`).length > 1) {
      this.#bad('one fire waits', book, `${id} is not the only one`);
    }
  }

  #bad(invariant: string, book: JobBook, detail: string): void {
    this.#violations.report(invariant, `${book.name}: ${detail}`);
  }
}
