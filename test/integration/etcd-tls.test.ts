/** Mutual TLS with certificates of a CA made for the test, and what a client without one is told. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { isCronmeshError } from '../../shared/errors.ts';
import { connectEtcd } from '../support/etcd-client.ts';
import { makeCertificates } from '../support/certificates.ts';
import { startEtcd } from '../support/etcd-server.ts';
import { MirrorRecorder } from '../support/mirror-recorder.ts';

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
