/** Mutual TLS with certificates of a CA made for the test, and what a client without one is told. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { promisify } from 'node:util';
import { isCronmeshError } from '../../shared/errors.ts';
import { connectEtcd } from '../support/etcd-client.ts';
import { startEtcd, type TlsFiles } from '../support/etcd-server.ts';
import { MirrorRecorder } from '../support/mirror-recorder.ts';

const run = promisify(execFile);

it('reads, writes and watches over mutual TLS; refuses a client without a certificate', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'cronmesh-tls-'));
  try {
    const tls = await makeCertificates(folder);
    const server = await startEtcd({ tls });
    const rootCertificate = await readFile(tls.ca);
    const etcd = connectEtcd(server.endpoints, {
      credentials: {
        rootCertificate,
        certChain: await readFile(tls.cert),
        privateKey: await readFile(tls.key),
      },
    });
    const stranger = connectEtcd(server.endpoints, { credentials: { rootCertificate } });
    const recorder = new MirrorRecorder();
    const mirror = etcd.mirror('/', recorder);
    try {
      await mirror.start();
      await mirror.ready();
      await etcd.txn({ compare: [], success: [{ put: { key: '/a', value: '1' } }], failure: [] });
      await recorder.until('the event', () => recorder.state.has('/a'));
      await assert.rejects(stranger.ping({ timeoutMs: 1000 }), (error) =>
        isCronmeshError(error, 'etcd-unavailable'),
      );
    } finally {
      await mirror.stop();
      await etcd.close();
      await stranger.close();
      await server.stop();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

/** One CA, and one certificate that serves for the server and the client. */
async function makeCertificates(folder: string): Promise<TlsFiles> {
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
