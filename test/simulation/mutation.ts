import type { Txn } from '../../shared/etcd/port.ts';
import type { EtcdStore } from './etcd-store.ts';

/** A rule taken out, to show that it is needed. */
export interface Mutation {
  readonly alter?: (txn: Txn) => Txn;
  readonly ignoresDeadline?: boolean;
  readonly ignoresStartBy?: boolean;
  readonly trustsOwnClock?: boolean;
  readonly forgetsDisk?: boolean;
  /** A worker that starts knows nothing of etcd's state. */
  readonly forgetsState?: boolean;
  /** A keep-alive alone renews the session. */
  readonly trustsKeepAlives?: boolean;
  /** History takes what a restored etcd says of a run for any other verdict. */
  readonly overridesEnds?: boolean;
  /** How long tombstones stay. */
  readonly tombstoneLifeMs?: number;
  readonly attach?: (etcd: EtcdStore) => void;
}
