/** What the health of a master is told from: the process, and each mesh it serves. */
import type { Etcd } from '../../shared/etcd/port.ts';
import type { EventStreams } from '../http/event-stream.ts';
import type { RequestCounter } from '../http/http-metrics.ts';
import type { JobIndex } from '../jobs/job-index.ts';
import type { MeshLink } from '../live/mesh-link.ts';
import type { StoreHealth } from '../live/store-health.ts';
import type { StorageBook } from '../retention/storage-book.ts';
import type { OpenFires } from '../runs/open-fires.ts';

/** What there is to say about one mesh. */
export interface CellHealth {
  /** Absent where there is only one and it has no name. */
  readonly name?: string;
  readonly link: MeshLink;
  readonly index: JobIndex;
  readonly openFires: OpenFires;
  readonly storeHealth: StoreHealth;
  readonly storage: StorageBook;
}

export interface HealthDeps {
  readonly version: string;
  readonly etcd: Etcd;
  readonly cells: readonly CellHealth[];
  readonly streams: EventStreams;
  readonly requests: RequestCounter;
}

export function cellPart(name: string | undefined): { readonly cell?: string } {
  return name === undefined ? {} : { cell: name };
}
