/**
 * The listening server: bounded in what it reads and how long it waits for it, so that slow or
 * endless requests cannot pile up. stop() takes no new connection, lets answers under way finish for
 * a moment, and then cuts.
 */
import { createServer, type RequestListener, type Server } from 'node:http';
import { formatListen, type ListenAddress } from '../../shared/config/common.ts';
import { CronmeshError, renderGot, type FieldProblem } from '../../shared/errors.ts';
import { once, type Component } from '../../shared/lifecycle.ts';
import type { Clock } from '../../shared/clock.ts';

/** Times in ms, sizes in bytes. */
const defaultLimits = {
  maxHeaderSize: 16 * 1024,
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  /** Longer than a proxy keeps its idle connections, or it would send on one that is being closed. */
  keepAliveTimeout: 65_000,
  connectionsCheckingInterval: 2_000,
};
const maxHeaders = 100;
const maxConnections = 4_096;
const finishMs = 3_000;
const sweepEveryMs = 50;

export class HttpServer implements Component {
  readonly #listen: ListenAddress;
  readonly #clock: Clock;
  readonly #server: Server;
  readonly start = once(() => this.#start());
  readonly stop = once(() => this.#stop());

  constructor(
    listen: ListenAddress,
    clock: Clock,
    handle: RequestListener,
    limits: Partial<typeof defaultLimits> = {},
  ) {
    this.#listen = listen;
    this.#clock = clock;
    this.#server = createServer({ ...defaultLimits, ...limits }, (request, response) => {
      // A connection that stays open would only be cut a moment later.
      if (!this.#server.listening) response.setHeader('Connection', 'close');
      handle(request, response);
    });
    this.#server.maxHeadersCount = maxHeaders;
    this.#server.maxConnections = maxConnections;
  }

  /** Where it listens, with the port that the system gave. Only after start(). */
  get address(): ListenAddress {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('it does not listen');
    return { host: this.#listen.host, port: address.port };
  }

  /** Throws `address-in-use`, or `config-invalid` for an address that cannot be had. */
  #start(): Promise<void> {
    const { host, port } = this.#listen;
    return new Promise((resolve, reject) => {
      const onError = (error: NodeJS.ErrnoException): void => {
        reject(listenError(this.#listen, error));
      };
      this.#server.once('error', onError);
      this.#server.listen({ host, port }, () => {
        this.#server.off('error', onError);
        resolve();
      });
    });
  }

  async #stop(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
    // A connection becomes idle when its last answer is out, and would then be kept for the next.
    const cutAtMs = this.#clock.monotonicMs() + finishMs;
    let cancel: (() => void) | undefined;
    const sweep = (): void => {
      if (this.#clock.monotonicMs() < cutAtMs) this.#server.closeIdleConnections();
      else this.#server.closeAllConnections();
      cancel = this.#clock.after(sweepEveryMs, sweep);
    };
    sweep();
    await closed;
    cancel?.();
  }
}

function listenError(listen: ListenAddress, error: NodeJS.ErrnoException): CronmeshError {
  const where = formatListen(listen);
  if (error.code === 'EADDRINUSE') {
    return new CronmeshError(
      'address-in-use',
      `Cannot listen on ${where}: another process uses that port. Stop it, or choose another with --listen.`,
      { cause: error },
    );
  }
  const problem: FieldProblem = {
    field: 'listen',
    message: `cannot be listened on (${error.code ?? error.message})`,
    expected: 'an address of this machine and a port this user may bind',
    got: renderGot(where),
  };
  return new CronmeshError('config-invalid', 'one setting is wrong', {
    cause: error,
    problems: [problem],
  });
}
