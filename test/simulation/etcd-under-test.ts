/**
 * The simulated etcd for callers that know nothing of simulated time: it runs on while a call is
 * under way or a condition is awaited, and stands still in between.
 */
import type { Etcd } from '../../shared/etcd/port.ts';
import type { EtcdUnderTest } from '../support/etcd-contract.ts';
import { EtcdStore } from './etcd-store.ts';
import { SeededRandom } from './seeded-random.ts';
import { Link } from './link.ts';
import { SimEtcd } from './sim-etcd.ts';
import { keepLeases } from './lease-keeper.ts';
import { SimMachine, SimProcess } from './sim-process.ts';
import { SimTime } from './sim-time.ts';

const mostMs = 60_000;

export function createSimulatedEtcd(): EtcdUnderTest {
  const time = new SimTime(Date.UTC(2027, 0, 15));
  const random = new SeededRandom(1);
  const store = new EtcdStore();
  keepLeases(store, time, random.stream('leases'));
  const machine = new SimMachine({ name: 'm', time, rate: 1, wallOffsetMs: 0, bootMs: 0 });
  const process = new SimProcess(machine, random.stream('process'));
  const client = new SimEtcd({ store, process, link: new Link(), random: random.stream('net') });

  const during = async <T>(call: () => Promise<T>): Promise<T> => {
    const state = { isOver: false };
    const answer = call().finally(() => {
      state.isOver = true;
    });
    answer.catch(() => undefined);
    await time.run(time.nowMs + mostMs, () => state.isOver);
    return answer;
  };
  const etcd: Etcd = {
    range: (request, options) => during(() => client.range(request, options)),
    txn: (txn, options) => during(() => client.txn(txn, options)),
    grantLease: (ttl, options) => during(() => client.grantLease(ttl, options)),
    keepLeaseAlive: (id, options) => during(() => client.keepLeaseAlive(id, options)),
    revokeLease: (id, options) => during(() => client.revokeLease(id, options)),
    mirror: (prefix, consumer) => client.mirror(prefix, consumer),
    ping: (options) => during(() => client.ping(options)),
    mark: () => client.mark(),
    onSetBack: (listener) => client.onSetBack(listener),
    close: () => client.close(),
  };
  return {
    etcd,
    until: async (what, check) => {
      const endMs = time.nowMs + mostMs;
      while (!(await check())) {
        if (time.nowMs >= endMs) throw new Error(`never: ${what}`);
        await time.run(time.nowMs + 10);
      }
    },
    compact: async (revision) => store.compact(revision),
    stop: async () => undefined,
  };
}
