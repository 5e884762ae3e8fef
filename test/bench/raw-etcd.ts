/**
 * What the same client and server do without any protocol: plain puts, and transactions of one guard
 * and one put, so many at a time. The ceiling for whoever sends one request a decision.
 */
import type { Etcd, Txn } from '../../shared/etcd/port.ts';
import { withPrefix } from '../support/etcd-server.ts';

const atATime = 64;

export async function rawPuts(etcd: Etcd, roundMs: number): Promise<number> {
  return perSecond(etcd, roundMs, (key, value) => ({
    compare: [],
    success: [{ put: { key, value } }],
    failure: [],
  }));
}

export async function rawTxns(etcd: Etcd, roundMs: number): Promise<number> {
  return perSecond(etcd, roundMs, (key, value) => ({
    compare: [{ key, target: 'value', op: '!=', value }],
    success: [{ put: { key, value } }],
    failure: [{ get: { key } }],
  }));
}

async function perSecond(
  etcd: Etcd,
  roundMs: number,
  build: (key: string, value: string) => Txn,
): Promise<number> {
  const prefix = withPrefix('raw');
  const began = performance.now();
  const until = began + roundMs;
  let count = 0;
  const lane = async (of: number): Promise<void> => {
    for (let i = 0; performance.now() < until; i++) {
      await etcd.txn(build(`${prefix}/key-${of}`, `value-${i}`));
      count++;
    }
  };
  await Promise.all(Array.from({ length: atATime }, (_, of) => lane(of)));
  return count / ((performance.now() - began) / 1_000);
}
