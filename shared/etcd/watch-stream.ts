/**
 * One raw watch of a prefix, on one stream, from open to end. Fragments are put together, so each
 * revision's events come out whole. A stream that says nothing for 1.5 s is asked for its progress;
 * 3 s of silence end it, because a frozen etcd keeps its connections open.
 */
import type { Clock } from '../clock.ts';
import { toSafeInteger, toWatchEvent } from './codec.ts';
import type {
  GrpcEndpoint,
  GrpcStream,
  WireEvent,
  WireWatchRequest,
  WireWatchResponse,
} from './grpc-endpoint.ts';
import { GrpcFailure } from './grpc-failure.ts';
import { prefixEnd, type WatchEvent } from './port.ts';

const tickMs = 250;
const probeAfterMs = 1500;
const silenceMs = 3000;
const createdWithinMs = 2000;
const probeEveryMs = 500;
/** A tick this late was held up by ourselves. */
const pausedMs = 1000;

/**
 * Why a watch ended. `broken` and `silent`: open another where this one stopped. `compacted`,
 * `other-cluster`: only a new listing helps. `cancelled`: etcd gave it up, with a reason.
 * `stopped`: the signal. `consumer`: a callback threw.
 */
export type WatchEnd =
  | { readonly kind: 'broken'; readonly failure: GrpcFailure }
  | { readonly kind: 'silent' }
  | { readonly kind: 'compacted'; readonly revision: number }
  | { readonly kind: 'other-cluster'; readonly clusterId: string }
  | { readonly kind: 'cancelled'; readonly reason: string }
  | { readonly kind: 'stopped' }
  | { readonly kind: 'consumer'; readonly error: unknown };

export interface WatchOptions {
  readonly endpoint: Pick<GrpcEndpoint, 'openWatch' | 'address'>;
  readonly prefix: string;
  /** The first revision wanted. */
  readonly startRevision: number;
  readonly clusterId: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** The watch stands; `revision` is the newest one this member knows. */
  onCreated(revision: number): void;
  /** Called once, when everything up to the present has been delivered. */
  onCurrent(): void;
  /** A batch in revision order; `revision` is that of its last event. */
  onEvents(events: readonly WatchEvent[], revision: number): void;
  /** Everything up to `revision` has been delivered. */
  onProgress(revision: number): void;
}

/** Never rejects. */
export function watchOnce(options: WatchOptions): Promise<WatchEnd> {
  return new Promise((resolve) => new WatchRun(options, resolve).open());
}

class WatchRun {
  readonly #options: WatchOptions;
  readonly #resolve: (end: WatchEnd) => void;
  readonly #onAbort = (): void => this.#end({ kind: 'stopped' });
  #stream: GrpcStream<WireWatchRequest> | undefined;
  #cancelTick: () => void = () => undefined;
  #ended = false;
  #watchId: string | undefined;
  #current = false;
  /** What the watch must have reached to be current. */
  #presentRevision = 0;
  #fragments: WireEvent[] = [];
  #heardMs: number;
  #tickedMs: number;
  #probedMs = 0;

  constructor(options: WatchOptions, resolve: (end: WatchEnd) => void) {
    this.#options = options;
    this.#resolve = resolve;
    this.#heardMs = options.clock.monotonicMs();
    this.#tickedMs = this.#heardMs;
  }

  open(): void {
    const { endpoint, signal } = this.#options;
    if (signal.aborted) {
      this.#end({ kind: 'stopped' });
      return;
    }
    signal.addEventListener('abort', this.#onAbort, { once: true });
    this.#scheduleTick();
    endpoint
      .openWatch({
        onMessage: (message) => this.#guarded(() => this.#receive(message)),
        onEnd: (failure) => this.#end({ kind: 'broken', failure }),
      })
      .then((stream) => {
        if (this.#ended) {
          stream.close();
          return;
        }
        this.#stream = stream;
        stream.send({ create_request: this.#createRequest() });
      })
      .catch((error: unknown) => {
        const failure =
          error instanceof GrpcFailure
            ? error
            : new GrpcFailure('unknown', endpoint.address, 'the watch did not open', error);
        this.#end({ kind: 'broken', failure });
      });
  }

  #createRequest(): NonNullable<WireWatchRequest['create_request']> {
    return {
      key: Buffer.from(this.#options.prefix),
      range_end: Buffer.from(prefixEnd(this.#options.prefix)),
      start_revision: this.#options.startRevision,
      progress_notify: true,
      fragment: true,
    };
  }

  #receive(message: WireWatchResponse): void {
    if (this.#ended) return;
    this.#heardMs = this.#options.clock.monotonicMs();
    if (message.header.cluster_id !== this.#options.clusterId) {
      this.#end({ kind: 'other-cluster', clusterId: message.header.cluster_id });
      return;
    }
    if (message.canceled) {
      const compacted = toSafeInteger(message.compact_revision);
      this.#end(
        compacted > 0
          ? { kind: 'compacted', revision: compacted }
          : { kind: 'cancelled', reason: message.cancel_reason },
      );
      return;
    }
    if (message.created) {
      this.#watchId = message.watch_id;
      const revision = toSafeInteger(message.header.revision);
      this.#options.onCreated(revision);
      this.#presentRevision = Math.max(revision, this.#options.startRevision - 1);
      if (revision === this.#options.startRevision - 1) this.#becomeCurrent();
      else this.#probe();
    } else if (message.events.length > 0 || message.fragment) {
      this.#collect(message);
    } else {
      this.#progress(message);
    }
  }

  #collect(message: WireWatchResponse): void {
    this.#fragments.push(...message.events);
    if (message.fragment) return;
    const events = this.#fragments.map(toWatchEvent);
    this.#fragments = [];
    const last = events.at(-1);
    if (last === undefined) return;
    const revision = last.type === 'put' ? last.kv.modRevision : last.modRevision;
    this.#options.onEvents(events, revision);
    if (revision >= this.#presentRevision) this.#becomeCurrent();
  }

  #progress(message: WireWatchResponse): void {
    // The answer to our own question names no watch. Servers before 3.4.25 and 3.5.8 send it
    // ahead of events that are still on their way, so only a notice of this very watch counts.
    const revision = toSafeInteger(message.header.revision);
    if (message.watch_id === this.#watchId) this.#options.onProgress(revision);
    if (revision >= this.#presentRevision) this.#becomeCurrent();
  }

  #becomeCurrent(): void {
    if (this.#current) return;
    this.#current = true;
    this.#options.onCurrent();
  }

  #probe(): void {
    this.#probedMs = this.#options.clock.monotonicMs();
    this.#stream?.send({ progress_request: {} });
  }

  #scheduleTick(): void {
    this.#cancelTick = this.#options.clock.after(tickMs, () => this.#guarded(() => this.#tick()));
  }

  #tick(): void {
    const nowMs = this.#options.clock.monotonicMs();
    // Our own pause is not their silence: what they sent meanwhile has not been read yet.
    if (nowMs - this.#tickedMs > pausedMs) {
      this.#heardMs = Math.max(this.#heardMs, nowMs - probeAfterMs);
    }
    this.#tickedMs = nowMs;
    const quietMs = nowMs - this.#heardMs;
    const created = this.#watchId !== undefined;
    if (quietMs >= (created ? silenceMs : createdWithinMs)) {
      this.#end({ kind: 'silent' });
      return;
    }
    const unsure = created && (!this.#current || quietMs >= probeAfterMs);
    // Not with every tick: servers since 3.5.8 leave the question open while they catch up.
    if (unsure && nowMs - this.#probedMs >= probeEveryMs) this.#probe();
    this.#scheduleTick();
  }

  #guarded(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.#end({ kind: 'consumer', error });
    }
  }

  #end(end: WatchEnd): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#cancelTick();
    this.#options.signal.removeEventListener('abort', this.#onAbort);
    this.#stream?.close();
    this.#resolve(end);
  }
}
