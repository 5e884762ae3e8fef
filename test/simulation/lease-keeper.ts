/**
 * The server's clock at work on leases: one whose time has passed is revoked, as a real server does it,
 * which looks twice a second; so a lease ends up to about a second late and never early.
 */
import type { EtcdStore } from './etcd-store.ts';
import type { SeededRandom } from './seeded-random.ts';
import type { SimTime } from './sim-time.ts';

const lookEveryMs = 500;

export function keepLeases(store: EtcdStore, time: SimTime, random: SeededRandom): void {
  const watch = (id: string): void => {
    const lease = store.lease(id);
    if (lease === undefined) return;
    const lookMs = Math.ceil(lease.expiresAtMs / lookEveryMs) * lookEveryMs;
    time.after(lookMs - time.nowMs, () => {
      if (lease.expiresAtMs > time.nowMs) watch(id);
      else time.after(random.between(0, 200), () => end(id));
    });
  };
  const end = (id: string): void => {
    const lease = store.lease(id);
    if (lease === undefined) return;
    // Renewed in the last moment: a real server, too, takes it back.
    if (lease.expiresAtMs > time.nowMs) watch(id);
    else store.revoke(id);
  };
  store.onGrant(watch);
}
