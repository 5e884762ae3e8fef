/**
 * How a channel to one etcd endpoint is set up: TLS, keep-alive, reconnecting, limits. Measured
 * against a real etcd; each option that is not self-evident says why it is there.
 */
import {
  credentials as grpcCredentials,
  type ChannelCredentials,
  type ChannelOptions,
} from '@grpc/grpc-js';

export interface TlsCredentials {
  /** PEM; absent means the roots that Node trusts. */
  readonly rootCertificate?: Buffer;
  readonly certChain?: Buffer;
  readonly privateKey?: Buffer;
}

export interface GrpcEndpointOptions {
  /** `host:port`, `http://host:port` or `https://host:port`. */
  readonly endpoint: string;
  readonly credentials?: TlsCredentials;
  readonly auth?: { readonly username: string; readonly password: string };
}

export const channelOptions: ChannelOptions = {
  // A connection that died without a word under a call is given up after 13 s at most. Only under
  // a call: etcd takes pings on an idle connection for abuse and closes it after the third.
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 3000,
  'grpc.initial_reconnect_backoff_ms': 100,
  // gRPC adds up to 20 %: an etcd that comes back is seen within a second.
  'grpc.max_reconnect_backoff_ms': 800,
  'grpc.dns_min_time_between_resolutions_ms': 1000,
  'grpc.max_receive_message_length': 32 * 1024 * 1024,
  // Else one TCP connection carries everything, and big reads starve watches.
  'grpc.use_local_subchannel_pool': 1,
  // No DNS TXT look-ups for a service config that etcd does not have.
  'grpc.service_config_disable_resolution': 1,
  // A proxy meant for the web must not end up between a worker and its etcd.
  'grpc.enable_http_proxy': 0,
  'grpc.enable_channelz': 0,
};

/**
 * TLS for `https://`, none for `http://`; a bare `host:port` has TLS when credentials are given.
 */
export function channelCredentials(options: GrpcEndpointOptions): ChannelCredentials {
  const given = options.credentials;
  const secure = /^https:/i.test(options.endpoint);
  const plain = /^http:/i.test(options.endpoint);
  if (plain || (!secure && given === undefined)) return grpcCredentials.createInsecure();
  return grpcCredentials.createSsl(given?.rootCertificate, given?.privateKey, given?.certChain);
}
