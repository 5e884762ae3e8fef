/**
 * List, then watch, against the simulated server, with the semantics of the real mirror: pages of one
 * revision, then batches in order, none lost and none twice; a watch that is cut or falls silent goes
 * on where it stopped, and everything is listed again when that is compacted, when the state was put
 * back, and when it is asked for.
 */
import { backoffMs } from '../../shared/clock.ts';
import type { Continuity } from '../../shared/etcd/continuity.ts';
import type { KeyValue, Mirror, MirrorConsumer } from '../../shared/etcd/port.ts';
import type { Commit, EtcdStore } from './etcd-store.ts';
import type { SeededRandom } from './seeded-random.ts';
import type { Link } from './link.ts';
import type { SimProcess } from './sim-process.ts';

const silenceMs = 4000;
const pageRows = 40;
const settledGapMs = 5;

interface SimMirrorOptions {
  readonly store: EtcdStore;
  readonly continuity: Continuity;
  readonly process: SimProcess;
  readonly link: Link;
  readonly random: SeededRandom;
  readonly prefix: string;
  readonly consumer: MirrorConsumer;
}

export class SimMirror implements Mirror {
  readonly #options: SimMirrorOptions;
  readonly #ready: Promise<void>;
  #becomeReady: () => void = () => undefined;
  #started = false;
  #stopped = false;
  #failures = 0;
  #connected: boolean | undefined;
  #nextRevision: number | undefined;
  /** The stream that is open now, 0 when none is; what an older one still brings is dropped. */
  #stream = 0;
  #streams = 0;
  #heardMs = 0;
  /** Cuts of the link when the stream was opened. */
  #cuts = 0;
  #isDoubted = false;
  #leave: () => void = () => undefined;
  /** Counts the wishes for a new listing. */
  #wishes = 0;
  #awaiting: { readonly wish: number; readonly resolve: () => void }[] = [];
  /** Of the answers' continuity, when everything was listed. */
  #era = 0;

  constructor(options: SimMirrorOptions) {
    this.#options = options;
    this.#ready = new Promise((resolve) => {
      this.#becomeReady = resolve;
    });
  }

  async start(): Promise<void> {
    if (this.#started) return;
    this.#started = true;
    const { store, link, continuity } = this.#options;
    const leaves = [
      continuity.onSetBack(() => void this.relist()),
      store.onCommit(() => this.#ifThere(() => this.#push(this.#stream))),
      link.onChange(() => this.#ifThere(() => this.#doubtStream(this.#stream))),
    ];
    this.#leave = () => {
      for (const leave of leaves) leave();
    };
    this.#connect();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#stream = 0;
    this.#leave();
  }

  ready(): Promise<void> {
    return this.#ready;
  }

  relist(): Promise<void> {
    this.#wishes += 1;
    this.#nextRevision = undefined;
    this.#setConnected(false);
    // A listing under way sees at its end that it is too old.
    if (this.#stream > 0) {
      this.#stream = 0;
      this.#connect();
    }
    return new Promise((resolve) => {
      this.#awaiting.push({ wish: this.#wishes, resolve });
    });
  }

  #ifThere(what: () => void): void {
    // The process may be dead: nobody stops its mirror then.
    if (this.#isOver) this.#leave();
    else what();
  }

  get #isOver(): boolean {
    return this.#stopped || !this.#options.process.isAlive;
  }

  #connect(): void {
    if (this.#isOver) return;
    const { link, random, process } = this.#options;
    const { time } = process.machine;
    if (link.state !== 'up' || link.isDeposed) {
      this.#doubt(link.state === 'silent' ? 1000 : 0);
      return;
    }
    time.after(random.between(0.5, 8), () => {
      if (this.#isOver) return;
      if (this.#nextRevision === undefined) this.#list();
      else this.#watch();
    });
  }

  #list(): void {
    const { store, prefix, random, process, consumer, continuity } = this.#options;
    const { time } = process.machine;
    const wishes = this.#wishes;
    const { era } = continuity;
    const answered = continuity.sending();
    const kvs = store.withPrefix(prefix);
    const { revision, mark, incarnation } = store;
    const pages: KeyValue[][] = [];
    for (let from = 0; from < kvs.length; from += pageRows) {
      pages.push(kvs.slice(from, from + pageRows));
    }
    let delayMs = 0;
    let isBroken = false;
    const later = (run: () => void): void => {
      delayMs += random.between(0.5, 6);
      time.after(delayMs, () => {
        process.deliver(() => {
          if (this.#isOver || isBroken) return;
          // The server that it was asked of is gone, or what it said is of the past.
          isBroken = incarnation !== store.incarnation || continuity.era > era + 1;
          if (isBroken) this.#doubt(0);
          else run();
        });
      });
    };
    later(() => {
      answered(mark);
      consumer.reset();
    });
    for (const page of pages) later(() => consumer.items(page));
    later(() => {
      consumer.synced(revision);
      this.#becomeReady();
      for (const each of this.#awaiting) if (each.wish <= wishes) each.resolve();
      this.#awaiting = this.#awaiting.filter((each) => each.wish > wishes);
      if (wishes === this.#wishes) {
        this.#nextRevision = revision + 1;
        this.#era = continuity.era;
      }
      this.#connect();
    });
  }

  #watch(): void {
    const { store, process, link } = this.#options;
    const from = this.#nextRevision ?? 0;
    // The real one asks, when a watch begins behind what was told, whether the state was put back.
    const isBehind = store.revision < from - 1;
    if (isBehind) this.#options.continuity.sending()(store.mark);
    if (isBehind || store.since(from) === undefined) {
      this.#nextRevision = undefined;
      this.#doubt(0);
      return;
    }
    const stream = ++this.#streams;
    this.#stream = stream;
    this.#cuts = link.watchCuts;
    this.#isDoubted = false;
    this.#sent = from - 1;
    this.#lastArrivalMs = 0;
    this.#heardMs = process.machine.monotonicMs();
    this.#becomeCurrent(stream);
    this.#push(stream);
    this.#doubtStream(stream);
  }

  /** The last revision that was put on the wire of this stream. */
  #sent = 0;
  #lastArrivalMs = 0;

  #push(stream: number): void {
    const { store, link, random, process } = this.#options;
    if (stream < 1 || stream !== this.#stream || this.#isOver) return;
    if (!link.isHearing) return;
    const commits = store.since(this.#sent + 1);
    if (commits === undefined) {
      this.#stream = 0;
      this.#nextRevision = undefined;
      this.#doubt(0);
      return;
    }
    if (commits.length === 0) return;
    this.#sent = store.revision;
    const { time } = process.machine;
    const delayMs = 0.3 + random.next() * (link.usualLagMs + link.watchLagMs);
    this.#lastArrivalMs = Math.max(this.#lastArrivalMs + 0.001, time.nowMs + delayMs);
    time.after(this.#lastArrivalMs - time.nowMs, () => {
      process.deliver(() => this.#receive(stream, commits));
    });
  }

  #receive(stream: number, commits: readonly Commit[]): void {
    if (stream !== this.#stream || this.#isOver) return;
    const { consumer, prefix, process, random, continuity } = this.#options;
    this.#heardMs = process.machine.monotonicMs();
    const next = this.#nextRevision ?? 0;
    const isFresh = (commit: Commit): boolean =>
      commit.revision >= next && commit.told(prefix).length > 0;
    // Mostly it is one.
    const [first] = commits;
    const fresh =
      commits.length === 1 && first !== undefined && isFresh(first)
        ? commits
        : commits.filter(isFresh);
    // A server sends what has piled up in batches of its own choosing, never half a revision.
    for (let from = 0; from < fresh.length;) {
      const most = random.integer(1, 20);
      const batch = fresh.length === 1 ? fresh : fresh.slice(from, from + most);
      from += batch.length;
      const last = batch.at(-1);
      if (last === undefined) break;
      this.#nextRevision = last.revision + 1;
      continuity.saw(this.#era, last.revision);
      consumer.events(
        batch.length === 1 ? last.told(prefix) : batch.flatMap((commit) => commit.told(prefix)),
        last.revision,
      );
    }
  }

  #becomeCurrent(stream: number): void {
    const { process } = this.#options;
    process.machine.time.after(settledGapMs, () => {
      process.deliver(() => {
        if (stream !== this.#stream || this.#isOver) return;
        this.#failures = 0;
        this.#setConnected(true);
      });
    });
  }

  /** Something may be wrong with the stream: looks after it until it is seen to be well. */
  #doubtStream(stream: number): void {
    const { process, link, random } = this.#options;
    if (stream < 1 || stream !== this.#stream || this.#isDoubted) return;
    if (link.isHearing && link.watchCuts === this.#cuts) {
      this.#push(stream);
      return;
    }
    this.#isDoubted = true;
    // A live one tells of itself about every second.
    this.#heardMs = process.machine.monotonicMs();
    this.#watchSilence(stream, random.next() * 1000);
  }

  /** Looks every second whether the stream was cut, or is silent. */
  #watchSilence(stream: number, delayMs: number): void {
    const { process, link } = this.#options;
    process.clock.after(delayMs, () => {
      if (stream !== this.#stream || this.#isOver) return;
      const nowMs = process.machine.monotonicMs();
      if (link.isHearing) {
        this.#heardMs = nowMs;
        this.#push(stream);
        // That may have found it compacted.
        if (stream !== this.#stream) return;
      }
      const isCut = link.watchCuts !== this.#cuts || link.state === 'refused';
      if (isCut || nowMs - this.#heardMs >= silenceMs) {
        this.#stream = 0;
        this.#doubt(0);
      } else if (link.isHearing) {
        this.#isDoubted = false;
      } else {
        this.#watchSilence(stream, 1000);
      }
    });
  }

  #doubt(moreMs: number): void {
    const { process, random } = this.#options;
    process.deliver(() => {
      if (this.#isOver) return;
      this.#setConnected(false);
      const pauseMs = moreMs + backoffMs(this.#failures++, 50, 1000, random.next);
      process.clock.after(pauseMs, () => this.#connect());
    });
  }

  #setConnected(connected: boolean): void {
    if (this.#connected === connected) return;
    this.#connected = connected;
    this.#options.consumer.connected?.(connected);
  }
}
