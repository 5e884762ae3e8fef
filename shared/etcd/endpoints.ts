/**
 * Chooses the endpoint of each call. One endpoint is preferred until it fails; a failed one is
 * tried last for a while, longer with every failure. When the preferred one is not connected,
 * all are tried side by side and the first to connect serves, so an etcd that comes back is used
 * as soon as its connection stands, and one that hangs costs no more than the call it failed.
 */
import type { Clock, Random } from '../clock.ts';
import { CronmeshError } from '../errors.ts';
import type { GrpcEndpoint, ServiceName } from './grpc-endpoint.ts';
import { GrpcFailure } from './grpc-failure.ts';

const shortestAvoidMs = 500;
const longestAvoidMs = 10_000;
/** How much later an endpoint in disgrace joins a race to connect. */
const handicapMs = 150;

interface Health {
  failures: number;
  avoidUntilMs: number;
}

export class Endpoints {
  readonly #endpoints: readonly GrpcEndpoint[];
  readonly #health = new Map<GrpcEndpoint, Health>();
  readonly #clock: Clock;
  #preferred: number;
  #closed = false;

  /** `random` spreads the processes of a fleet over the members. */
  constructor(endpoints: readonly GrpcEndpoint[], clock: Clock, random: Random) {
    this.#endpoints = endpoints;
    this.#clock = clock;
    this.#preferred = Math.floor(random() * endpoints.length);
    for (const endpoint of endpoints) {
      this.#health.set(endpoint, { failures: 0, avoidUntilMs: 0 });
    }
  }

  /**
   * A connected endpoint for `service`. Rejects with a GrpcFailure of kind `no-effect` when none
   * connects within `timeoutMs`, with the signal's reason when it aborts, with
   * `etcd-unavailable` after close().
   */
  async acquire(
    service: ServiceName,
    timeoutMs: number,
    signal?: AbortSignal,
  ): Promise<GrpcEndpoint> {
    signal?.throwIfAborted();
    if (this.#closed) throw new CronmeshError('etcd-unavailable', 'the etcd client is closed');
    const order = this.#order();
    const first = order[0];
    if (first?.isReady(service) === true) return first;
    const connected = await this.#race(order, service, timeoutMs, signal);
    if (connected !== undefined) return connected;
    signal?.throwIfAborted();
    const addresses = this.#endpoints.map((endpoint) => endpoint.address).join(', ');
    throw new GrpcFailure(
      'no-effect',
      addresses,
      `no connection within ${String(Math.round(timeoutMs))} ms (${addresses})`,
    );
  }

  succeeded(endpoint: GrpcEndpoint): void {
    const health = this.#health.get(endpoint);
    if (health !== undefined) health.failures = 0;
  }

  /** Takes note that it did not answer, or that it broke a stream; the next call goes elsewhere. */
  failed(endpoint: GrpcEndpoint): void {
    const health = this.#health.get(endpoint);
    if (health === undefined) return;
    health.failures += 1;
    const avoidMs = Math.min(longestAvoidMs, shortestAvoidMs * 2 ** (health.failures - 1));
    health.avoidUntilMs = this.#clock.monotonicMs() + avoidMs;
    if (this.#endpoints[this.#preferred] === endpoint) {
      this.#preferred = (this.#preferred + 1) % this.#endpoints.length;
    }
  }

  close(): void {
    this.#closed = true;
    for (const endpoint of this.#endpoints) endpoint.close();
  }

  #order(): GrpcEndpoint[] {
    const rotated = [
      ...this.#endpoints.slice(this.#preferred),
      ...this.#endpoints.slice(0, this.#preferred),
    ];
    const good = rotated.filter((endpoint) => !this.#isAvoided(endpoint));
    return [...good, ...rotated.filter((endpoint) => this.#isAvoided(endpoint))];
  }

  #isAvoided(endpoint: GrpcEndpoint): boolean {
    const health = this.#health.get(endpoint);
    return health !== undefined && health.avoidUntilMs > this.#clock.monotonicMs();
  }

  async #race(
    order: readonly GrpcEndpoint[],
    service: ServiceName,
    timeoutMs: number,
    signal: AbortSignal | undefined,
  ): Promise<GrpcEndpoint | undefined> {
    const over = new AbortController();
    const onAbort = (): void => over.abort();
    signal?.addEventListener('abort', onAbort, { once: true });
    const someGood = order[0] !== undefined && !this.#isAvoided(order[0]);
    try {
      return await Promise.any(
        order.map(async (endpoint) => {
          if (someGood && this.#isAvoided(endpoint)) await this.#pause(handicapMs, over.signal);
          if (await endpoint.connect(service, timeoutMs, over.signal)) return endpoint;
          throw new Error('not connected');
        }),
      );
    } catch {
      return undefined;
    } finally {
      over.abort();
      signal?.removeEventListener('abort', onAbort);
    }
  }

  #pause(delayMs: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#clock.after(delayMs, resolve);
      signal.addEventListener(
        'abort',
        () => {
          cancel();
          resolve();
        },
        { once: true },
      );
    });
  }
}
