/**
 * Whether a master sees that etcd was restored from a backup and the workers have not re-based yet:
 * until then nothing may be written that counts on what was read, and everybody who asks is told.
 */
import { CronmeshError } from '../../shared/errors.ts';
import type { Etcd, Mirror, Txn, TxnResult } from '../../shared/etcd/port.ts';
import type { MeshView } from '../../shared/mesh/view.ts';
import type { Keys } from '../../shared/protocol/keys.ts';
import { underCluster } from '../../shared/protocol/rebase.ts';

export type RestoreSource = Pick<Etcd, 'mark' | 'onSetBack'>;

export class RestoreSight {
  readonly #etcd: RestoreSource;
  readonly #view: MeshView;
  readonly #forgetSource: () => void;
  /** The record at which the state was put back; that of another id means a worker has seen it. */
  #suspected: { readonly id: string | undefined } | undefined;

  constructor(etcd: RestoreSource, view: MeshView) {
    this.#etcd = etcd;
    this.#view = view;
    this.#forgetSource = etcd.onSetBack(() => {
      view.forget();
      this.#suspected = { id: view.snapshot.cluster?.value?.id };
    });
  }

  stop(): void {
    this.#forgetSource();
  }

  /** In words; undefined when all is well. */
  get reason(): string | undefined {
    const value = this.#view.snapshot.cluster?.value;
    if (value?.rebase !== undefined) {
      return 'etcd was restored from a backup: the workers are re-basing';
    }
    const mark = this.#etcd.mark();
    const isOther = value !== undefined && mark !== undefined && mark.clusterId !== value.clusterId;
    const isSuspect = this.#suspected !== undefined && this.#suspected.id === value?.id;
    // A mesh without a record has had no worker yet, so nothing was counted.
    if (value === undefined || !(isOther || isSuspect)) return undefined;
    return 'etcd was restored from a backup: no worker has begun to re-base yet';
  }
}

interface Sight {
  readonly view: MeshView;
  readonly restoreReason: string | undefined;
  caughtUp(revision: number): Promise<void>;
  relist(): ReturnType<Mirror['relist']>;
}

const maxAttempts = 3;

/**
 * etcd for a master's writes: each stands only under the cluster record that the view shows, and none
 * is sent while the mesh is re-based (`busy`). Reads pass.
 */
export function writeUnderCluster(etcd: Etcd, keys: Keys, sight: Sight): Etcd {
  const txn: Etcd['txn'] = async (request, options) => {
    if (isRead(request)) return etcd.txn(request, options);
    for (let attempt = 1; attempt <= maxAttempts; attempt++) {
      if (sight.restoreReason !== undefined) break;
      const raw = sight.view.snapshot.cluster?.raw;
      const outer = await etcd.txn(underCluster(keys, raw, [request]), options);
      if (outer.succeeded) return nestedResult(outer);
      await sight.caughtUp(outer.revision);
      // It has all events and not this one: they are of a state that is gone.
      if (sight.view.snapshot.cluster?.raw === raw) {
        sight.view.forget();
        await sight.relist();
      }
    }
    throw new CronmeshError(
      'busy',
      `${sight.restoreReason ?? 'the mesh is being re-based'}; nothing was changed`,
    );
  };
  return { ...etcd, txn };
}

function isRead({ success, failure }: Txn): boolean {
  return [...success, ...failure].every((op) => 'get' in op);
}

function nestedResult(outer: TxnResult): TxnResult {
  const [nested] = outer.results;
  if (nested?.kind !== 'txn') throw new CronmeshError('internal', 'not a nested result');
  return { ...nested.result, revision: outer.revision };
}
