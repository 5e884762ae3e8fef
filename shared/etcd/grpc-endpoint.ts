/**
 * One etcd endpoint over gRPC: a host of etcd3's connection pool with its protos and low-level
 * clients, its fault handling off. Each service (KV, Lease, Watch, Maintenance, Auth) has a TCP
 * connection of its own, so a big read never starves a watch. Failures come out as GrpcFailure.
 * The only file that knows etcd3.
 */
import {
  connectivityState,
  Metadata,
  type CallOptions,
  type Client,
  type ClientUnaryCall,
  type ServiceError,
} from '@grpc/grpc-js';
import { noop } from 'cockatiel';
import {
  AuthClient,
  KVClient,
  LeaseClient,
  MaintenanceClient,
  WatchClient,
  type ICallable,
  type IDuplexStream,
  type ILeaseGrantResponse,
  type ILeaseKeepAliveRequest,
  type ILeaseKeepAliveResponse,
  type IRangeRequest,
  type IRangeResponse,
  type IStatusResponse,
  type ITxnRequest,
  type ITxnResponse,
  type IWatchRequest,
  type IWatchResponse,
  type Services,
} from 'etcd3';
import { Host } from 'etcd3/lib/connection-pool.js';
import { channelCredentials, channelOptions, type GrpcEndpointOptions } from './grpc-channel.ts';
import { failureOf, GrpcFailure } from './grpc-failure.ts';

export type {
  ICompare as WireCompare,
  IEvent as WireEvent,
  IKeyValue as WireKeyValue,
  IRangeRequest as WireRangeRequest,
  IRangeResponse as WireRangeResponse,
  IRequestOp as WireRequestOp,
  IResponseHeader as WireHeader,
  IResponseOp as WireResponseOp,
  ITxnRequest as WireTxnRequest,
  ITxnResponse as WireTxnResponse,
  IWatchRequest as WireWatchRequest,
  IWatchResponse as WireWatchResponse,
} from 'etcd3';

export type ServiceName = 'KV' | 'Lease' | 'Watch' | 'Maintenance';

export interface CallLimits {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/** A raw stream: `onEnd` is called once, with the failure unless we closed it. */
export interface GrpcStream<Request> {
  send(request: Request): void;
  close(): void;
}

export interface StreamHandlers<Response> {
  onMessage(message: Response): void;
  onEnd(failure: GrpcFailure): void;
}

const defaultTimeoutMs = 3000;

interface RawCallOptions extends CallOptions {
  readonly signal?: AbortSignal;
}

type AnyService = keyof typeof Services;

type UnaryMethod = (
  request: unknown,
  metadata: Metadata,
  options: CallOptions,
  callback: (error: ServiceError | null, response: unknown) => void,
) => ClientUnaryCall;

export class GrpcEndpoint {
  readonly address: string;
  readonly #auth: GrpcEndpointOptions['auth'];
  readonly #host: Host;
  readonly #kv: KVClient;
  readonly #lease: LeaseClient;
  readonly #watch: WatchClient;
  readonly #maintenance: MaintenanceClient;
  readonly #authenticator: AuthClient;
  #token: Promise<string> | undefined;
  #closed = false;

  constructor(options: GrpcEndpointOptions) {
    this.address = options.endpoint;
    this.#auth = options.auth;
    this.#host = new Host(
      options.endpoint,
      channelCredentials(options),
      channelOptions,
      // etcd3's circuit breaker would fail healthy calls for seconds after an outage.
      noop,
    );
    const callable: ICallable<undefined> = {
      callOptionsFactory: undefined,
      exec: <T>(service: AnyService, method: string, request: unknown, call?: RawCallOptions) =>
        // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the protos' promise
        this.#exec(service, method, request, call ?? {}) as Promise<T>,
      withConnection: async (service, run) =>
        run({
          resource: undefined,
          client: this.#client(service),
          metadata: await this.#metadata({ deadline: Date.now() + defaultTimeoutMs }),
        }),
      // etcd3 would drop every connection of the host here; channels mend themselves.
      markFailed: () => undefined,
    };
    this.#kv = new KVClient(callable);
    this.#lease = new LeaseClient(callable);
    this.#watch = new WatchClient(callable);
    this.#maintenance = new MaintenanceClient(callable);
    this.#authenticator = new AuthClient(callable);
  }

  isReady(service: ServiceName): boolean {
    return !this.#closed && this.#state(service, false) === connectivityState.READY;
  }

  /** Resolves with true once `service` is connected, with false when time or signal ran out. */
  async connect(service: ServiceName, timeoutMs: number, signal?: AbortSignal): Promise<boolean> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      if (this.#closed || signal?.aborted === true) return false;
      const state = this.#state(service, true);
      if (state === connectivityState.READY) return true;
      const leftMs = deadline - performance.now();
      if (leftMs <= 0) return false;
      await stateChange(this.#client(service), state, leftMs, signal);
    }
  }

  range(request: IRangeRequest, limits: CallLimits): Promise<IRangeResponse> {
    return this.#kv.range(request, toCallOptions(limits));
  }

  txn(request: ITxnRequest, limits: CallLimits): Promise<ITxnResponse> {
    return this.#kv.txn(request, toCallOptions(limits));
  }

  leaseGrant(ttlSeconds: number, limits: CallLimits): Promise<ILeaseGrantResponse> {
    return this.#lease.leaseGrant({ TTL: ttlSeconds }, toCallOptions(limits));
  }

  async leaseRevoke(id: string, limits: CallLimits): Promise<void> {
    await this.#lease.leaseRevoke({ ID: id }, toCallOptions(limits));
  }

  status(limits: CallLimits): Promise<IStatusResponse> {
    return this.#maintenance.status(toCallOptions(limits));
  }

  openWatch(handlers: StreamHandlers<IWatchResponse>): Promise<GrpcStream<IWatchRequest>> {
    return this.#open(() => this.#watch.watch(), handlers);
  }

  /** The stream ends by itself, as a failure, when `timeoutMs` have passed. */
  openKeepAlive(
    timeoutMs: number,
    handlers: StreamHandlers<ILeaseKeepAliveResponse>,
  ): Promise<GrpcStream<ILeaseKeepAliveRequest>> {
    return this.#open(() => this.#lease.leaseKeepAlive(toCallOptions({ timeoutMs })), handlers);
  }

  /**
   * Logs in again before the next call. A token that expired under a watch makes every later
   * watch fail in ways that do not name the token, so callers do this after any stream's end.
   */
  forgetToken(): void {
    this.#token = undefined;
  }

  /** Closes the connections; streams must have been closed before, or the process lives on. */
  close(): void {
    this.#closed = true;
    this.#host.close();
  }

  #client(service: AnyService): Client {
    if (this.#closed) {
      throw new GrpcFailure('no-effect', this.address, `the client of ${this.address} is closed`);
    }
    return this.#host.getServiceClient(service);
  }

  #state(service: ServiceName, tryToConnect: boolean): connectivityState {
    return this.#client(service).getChannel().getConnectivityState(tryToConnect);
  }

  async #exec(
    service: AnyService,
    method: string,
    request: unknown,
    { signal, ...options }: RawCallOptions,
  ): Promise<unknown> {
    const metadata =
      service === 'Auth' ? withLeader(new Metadata()) : await this.#metadata(options);
    const outcome = await callUnary(
      this.#client(service),
      method,
      request,
      metadata,
      options,
      signal,
    );
    if (outcome.error === undefined) return outcome.response;
    const failure = failureOf(outcome.error, this.address);
    if (failure.kind === 'unauthenticated') this.forgetToken();
    if (signal?.aborted === true && failure.kind === 'unknown') {
      throw new GrpcFailure('aborted', this.address, `aborted (${this.address})`, outcome.error);
    }
    throw failure;
  }

  async #metadata(options: CallOptions): Promise<Metadata> {
    const metadata = withLeader(new Metadata());
    if (this.#auth !== undefined) {
      const token = (this.#token ??= this.#logIn(this.#auth, options));
      metadata.set('token', await token);
    }
    return metadata;
  }

  async #logIn(
    auth: NonNullable<GrpcEndpointOptions['auth']>,
    options: CallOptions,
  ): Promise<string> {
    try {
      const request = { name: auth.username, password: auth.password };
      return (await this.#authenticator.authenticate(request, options)).token;
    } catch (error) {
      this.forgetToken();
      // Whatever the call that needed the token was, it has not been sent.
      if (error instanceof GrpcFailure && error.kind !== 'refused') {
        throw new GrpcFailure('no-effect', this.address, error.message, error);
      }
      throw error;
    }
  }

  async #open<Request, Response>(
    open: () => Promise<IDuplexStream<Request, Response>>,
    handlers: StreamHandlers<Response>,
  ): Promise<GrpcStream<Request>> {
    const stream = await open();
    let ended = false;
    const end = (error: Error): void => {
      if (ended) return;
      ended = true;
      handlers.onEnd(failureOf(error, this.address));
    };
    stream.on('data', (message) => {
      if (!ended) handlers.onMessage(message);
    });
    stream.on('error', end);
    stream.on('end', () => end(new Error('the server ended the stream')));
    return {
      send(request) {
        if (!ended) stream.write(request);
      },
      close() {
        ended = true;
        stream.cancel();
      },
    };
  }
}

interface UnaryOutcome {
  readonly error?: ServiceError;
  readonly response?: unknown;
}

function callUnary(
  client: Client,
  method: string,
  request: unknown,
  metadata: Metadata,
  options: CallOptions,
  signal: AbortSignal | undefined,
): Promise<UnaryOutcome> {
  return new Promise((resolve) => {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- gRPC makes them at run time
    const methods = client as unknown as Record<string, UnaryMethod>;
    const onAbort = (): void => call?.cancel();
    const call = methods[method]?.call(client, request, metadata, options, (error, response) => {
      signal?.removeEventListener('abort', onAbort);
      resolve(error === null ? { response } : { error });
    });
    signal?.addEventListener('abort', onAbort, { once: true });
    if (signal?.aborted === true) onAbort();
  });
}

function stateChange(
  client: Client,
  from: connectivityState,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      signal?.removeEventListener('abort', done);
      resolve();
    };
    signal?.addEventListener('abort', done, { once: true });
    // The watcher cannot be taken back, so each wait is short.
    const deadline = Date.now() + Math.min(timeoutMs, 1000);
    client.getChannel().watchConnectivityState(from, deadline, done);
  });
}

/** A member that has lost its leader refuses the call, and ends the stream, instead of waiting. */
function withLeader(metadata: Metadata): Metadata {
  metadata.set('hasleader', 'true');
  return metadata;
}

function toCallOptions(limits: CallLimits): RawCallOptions {
  return {
    // gRPC counts deadlines on the wall clock of this process, whatever clock the caller has.
    deadline: Date.now() + limits.timeoutMs,
    ...(limits.signal === undefined ? {} : { signal: limits.signal }),
  };
}
