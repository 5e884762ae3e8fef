/**
 * What this worker's view knew when etcd was found restored, and the restored state does not: records
 * on their way to a spool, and open fires. Nobody else may know of them any more, so they go to history
 * from here, and at once to this worker's own spool. Rows merge by id, so any number of workers may do
 * the same; that a fire was open yields to every end that history knows or will know.
 */
import type { Clock } from '../../shared/clock.ts';
import type { HistoryRecord } from '../../shared/history/records.ts';
import type { Logger } from '../../shared/log.ts';
import type { MeshView } from '../../shared/mesh/view.ts';
import { recordOfDone } from '../run/run-records.ts';
import type { Spool } from '../spool/port.ts';

export interface FormerKnowledgeOptions {
  readonly view: MeshView;
  readonly spool: Pick<Spool, 'append'>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly workerId: string;
  /** A run of this worker reports by itself. */
  isMine(runId: string): boolean;
}

export class FormerKnowledge {
  readonly #options: FormerKnowledgeOptions;
  #records: HistoryRecord[] = [];

  constructor(options: FormerKnowledgeOptions) {
    this.#options = options;
  }

  /** To be called while the view is still the one of before. */
  note(): void {
    const { view, clock, workerId } = this.#options;
    const at = clock.wallMs();
    for (const { name, entry, dones, fires } of view.snapshot.parts.values()) {
      const command = entry?.ok === true ? entry.job.command : '';
      for (const [id, { value }] of dones) {
        this.#records.push(recordOfDone(name, id, value, command, workerId));
      }
      for (const [fireId, { value: fire, createRevision }] of fires) {
        if (this.#options.isMine(fire.runId)) continue;
        const reason = 'etcd was restored from a backup; how this run ended is not known';
        const lost = {
          v: 1,
          outcome: 'lost',
          reason,
          at,
          session: '',
          fire,
          fireId,
          fence: createRevision,
          restored: true,
        } as const;
        this.#records.push(recordOfDone(name, `lost-${fire.runId}`, lost, command, workerId));
      }
    }
  }

  /** The state of before is gone for good. */
  spool(): void {
    const records = this.#records;
    this.#records = [];
    if (records.length === 0) return;
    this.#options.spool.append(records).catch((error: unknown) => {
      this.#options.logger.error(
        { err: error, records: records.length },
        'what was known before the restore of etcd could not be spooled',
      );
    });
  }

  /** It was no restore after all. */
  forget(): void {
    this.#records = [];
  }
}
