/**
 * The server's clock at work on leases: twice a second those whose time has passed are revoked, as a
 * real server does, so a lease ends up to about a second late and never early.
 */
import type { EtcdStore } from './etcd-store.ts';
import type { SeededRandom } from './seeded-random.ts';
import type { SimTime } from './sim-time.ts';

const lookEveryMs = 500;

export function keepLeases(
  store: EtcdStore,
  time: SimTime,
  random: SeededRandom,
  isAway: () => boolean = () => false,
): void {
  const look = (): void => {
    if (!isAway()) {
      for (const [id, { expiresAtMs }] of store.leases()) {
        if (expiresAtMs <= time.nowMs) time.after(random.between(0, 200), () => end(id));
      }
    }
    time.after(lookEveryMs, look);
  };
  const end = (id: string): void => {
    // Renewed in the last moment: a real server, too, takes it back.
    const lease = store.lease(id);
    if (lease !== undefined && lease.expiresAtMs <= time.nowMs) store.revoke(id);
  };
  look();
}
