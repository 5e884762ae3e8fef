/** User and password: tokens that expire under a client are renewed, wrong ones are refused. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { isCronmeshError } from '../../shared/errors.ts';
import type { Txn } from '../../shared/etcd/port.ts';
import { connectEtcd } from '../support/etcd-client.ts';
import { startEtcd } from '../support/etcd-server.ts';
import { MirrorRecorder } from '../support/mirror-recorder.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';

const put: Txn = { compare: [], success: [{ put: { key: '/a', value: '1' } }], failure: [] };

it('calls and watches go on when the token has expired; a wrong password is refused', async () => {
  const server = await startEtcd();
  const proxy = await startTcpProxy(server.member().clientPort);
  const auth = { username: 'root', password: 'secret' };
  const etcd = connectEtcd([proxy.endpoint], { auth });
  const wrong = connectEtcd([proxy.endpoint], { auth: { ...auth, password: 'wrong' } });
  const recorder = new MirrorRecorder();
  const mirror = etcd.mirror('/', recorder);
  try {
    await enableAuth(server.endpoint, auth.password);
    await assert.rejects(wrong.ping(), (error) => isCronmeshError(error, 'etcd-rejected'));
    await mirror.start();
    // Put before the listing, it would be a row of it and no event.
    await mirror.ready();
    await etcd.txn(put);
    await recorder.until('the event', () => recorder.received.length === 1);
    // Tokens live in the memory of a member: after a restart it knows none of them.
    await server.member().restart();
    await recorder.until('connected', () => recorder.isConnected);
    await etcd.txn(put);
    await recorder.until('the event', () => recorder.received.length === 2);
    assert.equal(recorder.listings, 1);
  } finally {
    await mirror.stop();
    await etcd.close();
    await wrong.close();
    await proxy.close();
    await server.stop();
  }
});

async function enableAuth(endpoint: string, password: string): Promise<void> {
  for (const [path, body] of [
    ['user/add', { name: 'root', password }],
    ['role/add', { name: 'root' }],
    ['user/grant', { user: 'root', role: 'root' }],
    ['enable', {}],
  ] as const) {
    const response = await fetch(`${endpoint}/v3/auth/${path}`, {
      method: 'POST',
      body: JSON.stringify(body),
    });
    assert.equal(response.status, 200, await response.text());
  }
}
