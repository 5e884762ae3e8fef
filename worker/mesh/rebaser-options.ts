/** What the rebaser is given. */
import type { Clock, Random } from '../../shared/clock.ts';
import type { Etcd, Mirror } from '../../shared/etcd/port.ts';
import type { Logger } from '../../shared/log.ts';
import type { MeshView } from '../../shared/mesh/view.ts';
import type { Keys } from '../../shared/protocol/keys.ts';
import type { WorkerConfig } from '../config.ts';
import type { StateMemory } from './state-memory.ts';
import type { TxnBatcher } from './txn-batcher.ts';

export interface RebaserOptions {
  readonly keys: Keys;
  readonly view: MeshView;
  readonly etcd: Pick<Etcd, 'range' | 'txn' | 'mark' | 'onSetBack'>;
  readonly mirror: Pick<Mirror, 'relist'>;
  /** One of its own, without a gate. */
  readonly batcher: TxnBatcher;
  readonly memory: StateMemory;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  readonly config: Pick<WorkerConfig, 'prefix' | 'workerId' | 'sessionTtlSeconds'>;
  sessionId(): string | undefined;
  /** The latest that the fleet's clocks can show now; undefined while this one is not verified. */
  latestMs(): number | undefined;
  /** What was decided so far may be wrong; the view is still the one of before. */
  onClosed(): void;
  /** The state that the view showed when it closed is of the past. */
  onReplaced(): void;
  /** After a re-base, `since` is the revision at which it began; else undefined. */
  onOpened(since: number | undefined): void;
}
