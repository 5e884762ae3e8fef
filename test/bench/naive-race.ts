/**
 * The lock race that schedulers of this kind usually run: for each fire every worker grants a lease,
 * tries to create the lock key of the job on it, and revokes the lease when it is done or has lost:
 * three writes a worker a fire. With the same client as ours; the racers share one process, and many
 * fires are raced for at a time.
 */
import type { Etcd } from '../../shared/etcd/port.ts';
import { withPrefix } from '../support/etcd-server.ts';

const firesAtATime = 64;

/** Fires a second that `racers` racers decide. */
export async function naiveRace(etcd: Etcd, racers: number, roundMs: number): Promise<number> {
  const prefix = withPrefix('naive');
  const began = performance.now();
  const until = began + roundMs;
  let count = 0;
  const lane = async (of: number): Promise<void> => {
    while (performance.now() < until) {
      await raceOnce(etcd, `${prefix}/lock/job-${of}`, racers);
      count++;
    }
  };
  await Promise.all(Array.from({ length: firesAtATime }, (_, of) => lane(of)));
  return count / ((performance.now() - began) / 1_000);
}

/** One fire; answers how many of the racers won it. */
export async function raceOnce(etcd: Etcd, key: string, racers: number): Promise<number> {
  const wins = await Promise.all(
    Array.from({ length: racers }, async () => {
      const lease = await etcd.grantLease(10);
      const { succeeded } = await etcd.txn({
        compare: [{ key, target: 'create', op: '=', value: 0 }],
        success: [{ put: { key, value: 'held', lease: lease.id } }],
        failure: [{ get: { key } }],
      });
      await etcd.revokeLease(lease.id);
      return succeeded;
    }),
  );
  return wins.filter(Boolean).length;
}
