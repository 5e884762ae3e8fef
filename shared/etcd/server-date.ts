/**
 * The wall clock of an etcd member, as its HTTP answers tell it: the `Date` header of `/version`, cut
 * to the second (RFC 9110, 6.6.1). Asked of the endpoints in turn; throws `etcd-unavailable`.
 */
import http from 'node:http';
import https from 'node:https';
import { CronmeshError } from '../errors.ts';

const timeoutMs = 2_000;

export interface ServerDateOptions {
  readonly endpoints: readonly string[];
  readonly credentials?: {
    readonly rootCertificate?: Buffer;
    readonly certChain?: Buffer;
    readonly privateKey?: Buffer;
  };
}

export async function readServerDate(options: ServerDateOptions): Promise<number> {
  let failure: unknown;
  for (const endpoint of options.endpoints) {
    try {
      return await readDate(endpoint, options.credentials ?? {});
    } catch (error) {
      failure = error;
    }
  }
  throw new CronmeshError('etcd-unavailable', 'no member tells its time', { cause: failure });
}

function readDate(
  endpoint: string,
  credentials: NonNullable<ServerDateOptions['credentials']>,
): Promise<number> {
  const url = new URL('/version', endpoint);
  const { rootCertificate, certChain, privateKey } = credentials;
  const tls = {
    ...(rootCertificate === undefined ? {} : { ca: rootCertificate }),
    ...(certChain === undefined ? {} : { cert: certChain }),
    ...(privateKey === undefined ? {} : { key: privateKey }),
  };
  return new Promise((resolve, reject) => {
    const request =
      url.protocol === 'https:'
        ? https.get(url, { timeout: timeoutMs, agent: false, ...tls })
        : http.get(url, { timeout: timeoutMs, agent: false });
    request.on('response', (response) => {
      response.resume();
      const dateMs = Date.parse(response.headers.date ?? '');
      if (Number.isNaN(dateMs)) reject(new Error(`${endpoint} sent no usable Date`));
      else resolve(dateMs);
    });
    request.on('timeout', () => request.destroy(new Error(`${endpoint} did not answer in time`)));
    request.on('error', reject);
  });
}
