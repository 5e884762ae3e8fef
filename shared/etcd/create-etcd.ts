/**
 * Makes the Etcd of a process: one gRPC client an endpoint, chosen call by call. Nothing connects
 * before the first call. Stop mirrors and sessions before close(), or their streams keep the
 * process alive.
 */
import type { Clock, Random } from '../clock.ts';
import { CronmeshError, renderGot } from '../errors.ts';
import type { Logger } from '../log.ts';
import { toSafeInteger } from './codec.ts';
import { Continuity } from './continuity.ts';
import { Endpoints } from './endpoints.ts';
import type { TlsCredentials } from './grpc-channel.ts';
import { GrpcEndpoint } from './grpc-endpoint.ts';
import { readError } from './grpc-failure.ts';
import { Caller, range, toLimits, txn } from './kv.ts';
import { grantLease, keepLeaseAlive, revokeLease } from './leases.ts';
import { ListWatchMirror } from './mirror.ts';
import type { CallOptions, Etcd } from './port.ts';

export interface EtcdOptions {
  /** `http://host:port`, `https://host:port` or `host:port` (TLS when credentials are given). */
  readonly endpoints: readonly string[];
  /** For TLS; `certChain` and `privateKey` go together. */
  readonly credentials?: TlsCredentials;
  /** User and password. Certificates are the better choice: tokens expire. */
  readonly auth?: { readonly username: string; readonly password: string };
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** Throws `config-invalid` when an endpoint is malformed. */
export function createEtcd(options: EtcdOptions): Etcd {
  const { clock, random, logger } = options;
  const addresses = parseEndpoints(options.endpoints);
  const endpoints = new Endpoints(
    addresses.map(
      (endpoint) =>
        new GrpcEndpoint({
          endpoint,
          ...(options.credentials === undefined ? {} : { credentials: options.credentials }),
          ...(options.auth === undefined ? {} : { auth: options.auth }),
        }),
    ),
    clock,
    random,
  );
  const continuity = new Continuity();
  const caller = new Caller({ endpoints, continuity, clock, random });
  return {
    range: (request, call) => range(caller, request, call),
    txn: (request, call) => txn(caller, request, call),
    grantLease: (ttlSeconds, call) => grantLease(caller, ttlSeconds, call),
    keepLeaseAlive: (id, call) => keepLeaseAlive(caller, id, call),
    revokeLease: (id, call) => revokeLease(caller, id, call),
    mirror: (prefix, consumer) =>
      new ListWatchMirror({ prefix, consumer, caller, endpoints, clock, random, logger }),
    ping: (call) => ping(caller, call),
    mark: () => continuity.mark,
    onSetBack: (listener) => continuity.onSetBack(listener),
    close: async () => {
      endpoints.close();
    },
  };
}

async function ping(
  caller: Caller,
  options: CallOptions = {},
): Promise<{ revision: number; clusterId: string; version: string }> {
  const anyKey = Buffer.from([0]);
  const limits = toLimits(options);
  try {
    const { header } = await caller.untilAnswered(
      'KV',
      limits,
      limits.timeoutMs,
      (failure) => failure.passing,
      (endpoint, attempt) =>
        caller.linear(() => endpoint.range({ key: anyKey, count_only: true }, attempt)),
    );
    const { version } = await caller.untilAnswered(
      'Maintenance',
      limits,
      limits.timeoutMs,
      (failure) => failure.passing,
      (endpoint, attempt) => endpoint.status(attempt),
    );
    return { revision: toSafeInteger(header.revision), clusterId: header.cluster_id, version };
  } catch (error) {
    options.signal?.throwIfAborted();
    throw readError(error, 'no member answers');
  }
}

/** Endpoints as gRPC takes them: no path, always a port. */
export function parseEndpoints(endpoints: readonly string[]): string[] {
  if (endpoints.length === 0) throw endpointProblem('nothing', 'at least one endpoint');
  return [...new Set(endpoints.map(parseEndpoint))];
}

function parseEndpoint(endpoint: string): string {
  const expected = 'http://host:port, https://host:port or host:port';
  const [, scheme = '', rest = ''] = /^(https?:\/\/)?(.*)$/i.exec(endpoint.trim()) ?? [];
  let url: URL;
  try {
    url = new URL(`http://${rest}`);
  } catch {
    throw endpointProblem(renderGot(endpoint), expected);
  }
  const bare = url.pathname === '/' && url.search === '' && url.hash === '' && url.username === '';
  if (!bare || url.hostname === '') throw endpointProblem(renderGot(endpoint), expected);
  // URL drops port 80 as the scheme's own; etcd's own is 2379.
  const port = /:80\/?$/.test(rest) ? '80' : url.port || '2379';
  return `${scheme.toLowerCase()}${url.hostname}:${port}`;
}

function endpointProblem(got: string, expected: string): CronmeshError {
  const message = 'is not an etcd endpoint';
  return new CronmeshError('config-invalid', `etcd endpoint: expected ${expected}, got ${got}`, {
    problems: [{ field: 'etcd', message, expected, got }],
  });
}
