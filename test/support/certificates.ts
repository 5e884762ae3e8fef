/** Certificates of a CA that is made for one test. */
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { TlsFiles } from './etcd-server.ts';

const run = promisify(execFile);

/** One CA, and one certificate that serves for the server and the client. */
export async function makeCertificates(folder: string): Promise<TlsFiles> {
  const path = (name: string): string => join(folder, name);
  const openssl = (...args: string[]): Promise<unknown> => run('openssl', args, { cwd: folder });
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  await openssl(
    ...['req', '-x509', ...newKey, '-days', '2', '-subj', '/CN=test-ca'],
    ...['-keyout', 'ca.key', '-out', 'ca.pem'],
  );
  await openssl('req', ...newKey, '-subj', '/CN=test', '-keyout', 'key.pem', '-out', 'req.pem');
  await writeFile(
    path('ext.cnf'),
    'subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth,clientAuth\n',
  );
  await openssl(
    ...['x509', '-req', '-in', 'req.pem', '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial'],
    ...['-days', '2', '-extfile', 'ext.cnf', '-out', 'cert.pem'],
  );
  return { ca: path('ca.pem'), cert: path('cert.pem'), key: path('key.pem') };
}
