/**
 * List, then watch: tells a consumer every key below a prefix and every change since, losing and
 * repeating none. A watch that breaks or falls silent goes on where it stopped, on another
 * endpoint; when that is impossible (compacted, another cluster, a state that was put back), when
 * it is asked for, and every five minutes as a backstop, everything is listed again.
 *
 * The next revision is that of the last event + 1, or a progress notice's + 1; never the one of
 * `created`, which may be ahead of events still to come.
 */
import { backoffMs, sleep, type Clock, type Random } from '../clock.ts';
import { CronmeshError } from '../errors.ts';
import type { Logger } from '../log.ts';
import { toSafeInteger } from './codec.ts';
import type { Endpoints } from './endpoints.ts';
import { GrpcFailure } from './grpc-failure.ts';
import type { Caller } from './kv.ts';
import { listPages } from './listing.ts';
import type { Mirror, MirrorConsumer, WatchEvent } from './port.ts';
import { watchOnce, type WatchEnd } from './watch-stream.ts';

const backstopMs = 5 * 60_000;
const connectWithinMs = 1000;
const shortestPauseMs = 50;
const longestPauseMs = 1000;

export interface MirrorOptions {
  readonly prefix: string;
  readonly consumer: MirrorConsumer;
  readonly caller: Caller;
  readonly endpoints: Endpoints;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** How often everything is listed again although nothing seems wrong; default 5 minutes. */
  readonly backstopMs?: number;
}

/** Where the watch goes on. */
interface Position {
  readonly clusterId: string;
  /** Of the answers' continuity. */
  readonly era: number;
  nextRevision: number;
}

export class ListWatchMirror implements Mirror {
  readonly #options: MirrorOptions;
  readonly #logger: Logger;
  readonly #stopped = new AbortController();
  readonly #ready: Promise<void>;
  #settleReady: (error?: CronmeshError) => void = () => undefined;
  #running: Promise<void> | undefined;
  #position: Position | undefined;
  #connected: boolean | undefined;
  #failures = 0;
  /** Counts the wishes for a new listing. */
  #wishes = 0;
  #endWatch: () => void = () => undefined;
  #awaiting: { readonly wish: number; readonly resolve: () => void }[] = [];

  constructor(options: MirrorOptions) {
    this.#options = options;
    this.#logger = options.logger.child({ prefix: options.prefix });
    this.#ready = new Promise((resolve, reject) => {
      this.#settleReady = (error) => (error === undefined ? resolve() : reject(error));
    });
    // Whoever never asks for readiness must not be told of its failure as an unhandled one.
    this.#ready.catch(() => undefined);
  }

  /** Begins; does not wait for etcd. */
  async start(): Promise<void> {
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#running;
    this.#granted(this.#wishes);
    this.#settleReady(
      new CronmeshError('etcd-unavailable', 'the mirror was stopped before its first listing'),
    );
  }

  ready(): Promise<void> {
    return this.#ready;
  }

  relist(): Promise<void> {
    this.#wishes += 1;
    this.#position = undefined;
    this.#endWatch();
    this.#setConnected(false);
    return new Promise((resolve) => {
      this.#awaiting.push({ wish: this.#wishes, resolve });
    });
  }

  async #run(): Promise<void> {
    const signal = this.#stopped.signal;
    const forget = this.#options.caller.continuity.onSetBack(() => void this.relist());
    try {
      await this.#listAndWatch(signal);
    } finally {
      forget();
    }
  }

  async #listAndWatch(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        const wishes = this.#wishes;
        this.#position ??= await this.#list();
        this.#granted(wishes);
        if (wishes !== this.#wishes) {
          this.#position = undefined;
          continue;
        }
        await this.#watch(this.#position);
      } catch (error) {
        if (!signal.aborted) this.#doubt(error, 'a listing or watch of etcd failed');
      }
      await this.#pause();
    }
  }

  async #list(): Promise<Position> {
    const { consumer, prefix, caller, clock, random } = this.#options;
    let begun = false;
    const listed = await listPages({
      prefix,
      caller,
      clock,
      random,
      signal: this.#stopped.signal,
      onRows: (kvs) => {
        if (!begun) consumer.reset();
        begun = true;
        if (kvs.length > 0) consumer.items(kvs);
      },
      onTrouble: (failure) => this.#doubt(failure, 'a page of a listing failed'),
    });
    consumer.synced(listed.revision);
    this.#settleReady();
    return {
      clusterId: listed.clusterId,
      era: listed.era,
      nextRevision: listed.revision + 1,
    };
  }

  #granted(wish: number): void {
    for (const each of this.#awaiting) if (each.wish <= wish) each.resolve();
    this.#awaiting = this.#awaiting.filter((each) => each.wish > wish);
  }

  async #watch(position: Position): Promise<void> {
    // A consumer may have stopped us from within the listing.
    this.#stopped.signal.throwIfAborted();
    const { endpoints, clock, prefix, random, consumer, caller } = this.#options;
    const over = new AbortController();
    const onStop = (): void => over.abort();
    this.#endWatch = onStop;
    this.#stopped.signal.addEventListener('abort', onStop, { once: true });
    const backstop = (this.#options.backstopMs ?? backstopMs) * (0.9 + random() * 0.2);
    const cancelBackstop = clock.after(backstop, () => {
      this.#position = undefined;
      over.abort();
    });
    try {
      const endpoint = await endpoints.acquire('Watch', connectWithinMs, over.signal);
      const end = await watchOnce({
        endpoint,
        prefix,
        startRevision: position.nextRevision,
        clusterId: position.clusterId,
        clock,
        signal: over.signal,
        onCreated: (revision) => {
          if (revision < position.nextRevision - 1) void this.#compare(position, over);
        },
        onCurrent: () => {
          this.#failures = 0;
          endpoints.succeeded(endpoint);
          this.#setConnected(true);
        },
        onEvents: (events, revision) => {
          this.#failures = 0;
          caller.continuity.saw(position.era, revision);
          deliver(consumer, events, revision, position);
        },
        onProgress: (revision) => {
          position.nextRevision = Math.max(position.nextRevision, revision + 1);
        },
      });
      if (end.kind === 'broken' || end.kind === 'silent') endpoints.failed(endpoint);
      if (end.kind !== 'stopped') endpoint.forgetToken();
      this.#ended(end);
    } finally {
      cancelBackstop();
      this.#stopped.signal.removeEventListener('abort', onStop);
    }
  }

  #ended(end: WatchEnd): void {
    switch (end.kind) {
      case 'stopped':
        return;
      case 'broken':
        this.#doubt(end.failure, 'the watch broke');
        return;
      case 'silent':
        this.#doubt(undefined, 'the watch fell silent');
        return;
      case 'cancelled':
        this.#doubt(undefined, `etcd cancelled the watch: ${end.reason}`);
        return;
      case 'compacted':
      case 'other-cluster':
        this.#position = undefined;
        this.#doubt(undefined, `listing again: ${describe(end)}`);
        return;
      case 'consumer':
        // What the consumer made of a batch that it did not finish is not known.
        this.#position = undefined;
        this.#doubt(end.error, 'a consumer of the watch failed; listing again');
    }
  }

  /**
   * The member knows less than we have seen. It may only lag behind its leader; but when a
   * linearizable read knows no more, the cluster was restored from the past.
   */
  async #compare(position: Position, over: AbortController): Promise<void> {
    const { caller } = this.#options;
    try {
      const anyKey = { key: Buffer.from([0]), count_only: true };
      const { header } = await caller.untilAnswered(
        'KV',
        { timeoutMs: 3000, signal: over.signal },
        10_000,
        (failure) => failure.passing,
        (endpoint, limits) => caller.linear(() => endpoint.range(anyKey, limits)),
      );
      if (toSafeInteger(header.revision) >= position.nextRevision - 1) return;
      this.#position = undefined;
      this.#doubt(undefined, 'listing again: the revision went backwards');
    } catch (error) {
      if (over.signal.aborted) return;
      this.#doubt(error, 'the revision could not be compared');
    }
    over.abort();
  }

  #doubt(error: unknown, message: string): void {
    this.#failures += 1;
    const fields = error instanceof GrpcFailure ? { reason: error.message } : { err: error };
    // An outage is one line, not one for every attempt to end it.
    if (this.#connected !== false) this.#logger.warn(fields, message);
    else this.#logger.debug(fields, message);
    this.#setConnected(false);
  }

  #setConnected(connected: boolean): void {
    if (this.#connected === connected) return;
    if (connected && this.#connected === false) this.#logger.info('the watch is current again');
    this.#connected = connected;
    this.#options.consumer.connected?.(connected);
  }

  async #pause(): Promise<void> {
    if (this.#failures === 0) return;
    const { clock, random } = this.#options;
    const pauseMs = backoffMs(this.#failures - 1, shortestPauseMs, longestPauseMs, random);
    try {
      await sleep(clock, pauseMs, this.#stopped.signal);
    } catch {
      // Stopped.
    }
  }
}

function deliver(
  consumer: MirrorConsumer,
  events: readonly WatchEvent[],
  revision: number,
  position: Position,
): void {
  const fresh = events.filter((event) => revisionOf(event) >= position.nextRevision);
  if (fresh.length === 0) return;
  consumer.events(fresh, revision);
  position.nextRevision = revision + 1;
}

function revisionOf(event: WatchEvent): number {
  return event.type === 'put' ? event.kv.modRevision : event.modRevision;
}

function describe(end: WatchEnd & { kind: 'compacted' | 'other-cluster' }): string {
  return end.kind === 'compacted'
    ? `compacted up to ${String(end.revision)}`
    : `cluster ${end.clusterId} answers now`;
}
