/**
 * The master's sight of etcd: the live view, whether it is current and since when, and the wait
 * that lets a client read what it has just written. While etcd is away the view stays as it was, and
 * everything that shows it says that it is stale.
 */
import type { Clock } from '../../shared/clock.ts';
import { CronmeshError } from '../../shared/errors.ts';
import type { EtcdKv, Mirror, MirrorConsumer } from '../../shared/etcd/port.ts';
import { once, type Component } from '../../shared/lifecycle.ts';
import { MeshView } from '../../shared/mesh/view.ts';
import type { Keys } from '../../shared/protocol/keys.ts';
import { RestoreSight, type RestoreSource } from './restore-sight.ts';

export interface SightStatus {
  readonly etcd: 'ok' | 'stale';
  /** Epoch ms. */
  readonly since: number;
}

const ownWriteWaitMs = 1_000;

type Mirroring = EtcdKv &
  RestoreSource & { mirror(prefix: string, consumer: MirrorConsumer): Mirror };

export class MeshLink implements Component {
  readonly view: MeshView;
  readonly #clock: Clock;
  readonly #mirror: Mirror;
  readonly #restore: RestoreSight;
  readonly #listeners = new Set<(status: SightStatus) => void>();
  readonly start = once(() => this.#mirror.start());
  readonly stop = once(async () => {
    this.#restore.stop();
    await this.#mirror.stop();
  });
  #status: SightStatus;
  #isSynced = false;

  constructor(etcd: Mirroring, keys: Keys, clock: Clock) {
    const view = new MeshView(keys);
    this.view = view;
    this.#restore = new RestoreSight(etcd, view);
    this.#clock = clock;
    this.#status = { etcd: 'stale', since: clock.wallMs() };
    this.#mirror = etcd.mirror(keys.root, {
      reset: () => view.reset(),
      items: (kvs) => view.items(kvs),
      synced: (revision) => {
        view.synced(revision);
        this.#isSynced = true;
        this.#refresh();
      },
      events: (events, revision) => view.events(events, revision),
      connected: (connected) => {
        view.connected(connected);
        this.#refresh();
      },
    });
  }

  get status(): SightStatus {
    return this.#status;
  }

  /** Set while etcd was restored from a backup and the workers have not re-based; in words. */
  get restoreReason(): string | undefined {
    return this.#restore.reason;
  }

  relist(): Promise<void> {
    return this.#mirror.relist();
  }

  /** False until the mesh was read once; from then on there is something to show. */
  get isSynced(): boolean {
    return this.#isSynced;
  }

  /** Throws `etcd-unavailable` while there is nothing to show. */
  requireSynced(): void {
    if (this.#isSynced) return;
    throw new CronmeshError('etcd-unavailable', 'This master has not been able to read etcd yet.');
  }

  onStatus(listener: (status: SightStatus) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Resolves once the view has the revision, or after a second: it is a courtesy, not a guard. */
  async caughtUp(revision: number): Promise<void> {
    if (this.view.revision >= revision) return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        cancel();
        unsubscribe();
        resolve();
      };
      const cancel = this.#clock.after(ownWriteWaitMs, done);
      const unsubscribe = this.view.onChange(() => {
        if (this.view.revision >= revision) done();
      });
    });
  }

  #refresh(): void {
    const etcd = this.view.isConnected ? 'ok' : 'stale';
    if (etcd === this.#status.etcd) return;
    this.#status = { etcd, since: this.#clock.wallMs() };
    for (const listener of this.#listeners) listener(this.#status);
  }
}
