/**
 * The settings that a master and a worker have in common, one schema each, and the names of all
 * environment variables of the product. A process composes its own strict object from them.
 */
import { isIPv6 } from 'node:net';
import { z } from 'zod';
import { logLevels } from '../log.ts';
import { fieldNotes } from './fields.ts';

/** Every variable of either side, and the setting it stands for. */
export const settingVariables = {
  CRONMESH_ETCD: 'etcd',
  CRONMESH_ETCD_CA: 'etcdCa',
  CRONMESH_ETCD_CERT: 'etcdCert',
  CRONMESH_ETCD_KEY: 'etcdKey',
  CRONMESH_PREFIX: 'prefix',
  CRONMESH_CELLS: 'cells',
  CRONMESH_HISTORY: 'history',
  CRONMESH_LISTEN: 'listen',
  CRONMESH_ALLOWED_HOSTS: 'allowedHosts',
  CRONMESH_WORKER_ID: 'workerId',
  CRONMESH_SLOTS: 'slots',
  CRONMESH_DATA: 'data',
  CRONMESH_LOG_LEVEL: 'logLevel',
} as const;

const defaultEtcdPort = 2379;

export interface ListenAddress {
  /** Without brackets. */
  readonly host: string;
  /** 0 asks the system for a free one. */
  readonly port: number;
}

const endpointSchema = z.string().transform((text, context): string => {
  const url = endpointUrl(text);
  if (url !== undefined) return url;
  context.addIssue({
    code: 'custom',
    message: 'is not an etcd endpoint',
    params: { expected: '"http://host:2379", "https://host:2379" or "host:2379"' },
  });
  return z.NEVER;
});

export const etcdField = z
  .array(endpointSchema)
  .min(1, {
    error: 'names no endpoint',
  })
  .default(['http://127.0.0.1:2379'])
  .describe('Endpoints of etcd, several for one cluster.')
  .register(fieldNotes, { placeholder: 'URL,URL' });

const fileField = (description: string) =>
  z.string().min(1).optional().describe(description).register(fieldNotes, { placeholder: 'FILE' });

export const etcdCaField = fileField('PEM file of the authority that signed etcd’s certificate.');
export const etcdCertField = fileField('PEM file of the certificate shown to etcd.');
export const etcdKeyField = fileField('PEM file of that certificate’s key.');

export const prefixSchema = z
  .string()
  .refine((text) => /^\/[^\s\0]*[^\s\0/]$/.test(text) && !text.includes('//'), {
    error: 'is not a key prefix',
    params: { expected: 'a path that begins with "/" and does not end with it, such as "/cron"' },
  });

export const defaultPrefix = '/cron';

export const prefixField = prefixSchema
  .default(defaultPrefix)
  .describe('All keys of this mesh stand below it.')
  .register(fieldNotes, { placeholder: '/PATH' });

export const historyField = z
  .string()
  .refine(isHistoryUrl, {
    error: 'is not the address of a store',
    params: { expected: '"mongodb://host:27017/database" or "sqlite:FILE"' },
  })
  .describe('Where history is kept: mongodb://… for a fleet, sqlite:FILE for one machine.')
  .register(fieldNotes, { placeholder: 'URL', mask: maskCredentials });

export const listenField = z.string().transform((text, context): ListenAddress => {
  const address = parseListen(text);
  if (address !== undefined) return address;
  context.addIssue({
    code: 'custom',
    message: 'is not an address to listen on',
    params: { expected: '"host:port" with a port from 0 to 65535, such as "127.0.0.1:8090"' },
  });
  return z.NEVER;
});

export const logLevelField = z
  .enum(logLevels)
  .default('info')
  .describe('How much is logged.')
  .register(fieldNotes, { placeholder: 'LEVEL' });

interface EtcdTlsSettings {
  readonly etcd: readonly string[];
  readonly etcdCa?: string | undefined;
  readonly etcdCert?: string | undefined;
  readonly etcdKey?: string | undefined;
}

/** For `superRefine`: certificate and key come together, and only https makes use of them. */
export function checkEtcdTls(settings: EtcdTlsSettings, context: z.core.$RefinementCtx): void {
  const { etcd, etcdCa, etcdCert, etcdKey } = settings;
  const refuse = (key: string, message: string, expected: string): void => {
    context.addIssue({ code: 'custom', path: [key], message, params: { expected } });
  };
  if (etcdCert !== undefined && etcdKey === undefined) {
    refuse('etcdKey', 'is missing', 'the key that belongs to etcdCert');
  }
  if (etcdKey !== undefined && etcdCert === undefined) {
    refuse('etcdCert', 'is missing', 'the certificate that belongs to etcdKey');
  }
  const tls = etcdCa !== undefined || etcdCert !== undefined || etcdKey !== undefined;
  if (tls && etcd.some((url) => !url.startsWith('https:'))) {
    refuse('etcd', 'is not encrypted', 'only https:// endpoints beside TLS files');
  }
}

/** `host:port` or `[v6]:port`; undefined when it is neither. */
function parseListen(text: string): ListenAddress | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+)):(\d{1,5})$/.exec(text);
  if (match === null) return undefined;
  const [, v6, name, portText] = match;
  const port = Number(portText);
  if (port > 65_535 || (v6 !== undefined && !isIPv6(v6))) return undefined;
  return { host: v6 ?? name ?? '', port };
}

/** Loopback means that only this machine can reach it. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
}

/** For a URL or a log line: an IPv6 host gets its brackets back. */
export function formatListen(address: ListenAddress): string {
  const host = address.host.includes(':') ? `[${address.host}]` : address.host;
  return `${host}:${address.port}`;
}

/** Hides user and password of any URL in the text. */
function maskCredentials(value: unknown): unknown {
  return typeof value === 'string' ? value.replaceAll(/\/\/[^/]*@/g, '//***@') : value;
}

function endpointUrl(text: string): string | undefined {
  const withScheme = /^[a-z]+:\/\//i.test(text) ? text : `http://${text}`;
  let url: URL;
  try {
    url = new URL(withScheme);
  } catch {
    return undefined;
  }
  const plain =
    (url.protocol === 'http:' || url.protocol === 'https:') &&
    url.hostname !== '' &&
    url.username === '' &&
    url.password === '' &&
    url.pathname === '/' &&
    url.search === '' &&
    url.hash === '';
  if (!plain) return undefined;
  // URL drops the port that is the scheme's own.
  const port = /:(\d+)\/?$/.exec(withScheme)?.[1] ?? String(defaultEtcdPort);
  return `${url.protocol}//${url.hostname}:${port}`;
}

function isHistoryUrl(text: string): boolean {
  if (/[\0\n\r]/.test(text)) return false;
  return /^sqlite:./.test(text) || /^mongodb(?:\+srv)?:\/\/[^\s/]+(?:\/\S*)?$/.test(text);
}
