/**
 * The one contract suite of etcd, against a real server through our adapter, and against the server
 * that the simulation stands on: what the simulation shows is worth what the two have in common.
 */
import assert from 'node:assert/strict';
import { connectEtcd } from '../support/etcd-client.ts';
import { etcdContract, type EtcdUnderTest } from '../support/etcd-contract.ts';
import { startEtcd } from '../support/etcd-server.ts';
import { waitFor } from '../support/server-process.ts';
import { createSimulatedEtcd } from '../simulation/etcd-under-test.ts';

async function createReal(): Promise<EtcdUnderTest> {
  const server = await startEtcd();
  const etcd = connectEtcd(server.endpoints);
  return {
    etcd,
    until: async (what, check) => {
      await waitFor(check, { timeoutMs: 20_000, intervalMs: 20, describe: () => what });
    },
    compact: async (revision) => {
      const response = await fetch(`${server.endpoint}/v3/kv/compaction`, {
        method: 'POST',
        body: JSON.stringify({ revision: String(revision), physical: true }),
      });
      assert.equal(response.status, 200, await response.text());
    },
    stop: async () => {
      await etcd.close();
      await server.stop();
    },
  };
}

etcdContract('a real server', createReal);
etcdContract('the simulated server', async () => createSimulatedEtcd());
