/**
 * What gets into the spool when there is no room: everything but output. The first dropped piece of
 * a gap leaves a marker in its place (never longer than the piece, so that it cannot cover what
 * follows), and the run's end then says that its output is truncated.
 */
import type { HistoryRecord } from '../../shared/history/records.ts';
import type { Logger } from '../../shared/log.ts';

const marker = Buffer.from('[output dropped: spool full]\n', 'utf8');

const maxRememberedRuns = 10_000;

export class OutputGate {
  readonly #logger: Logger;
  /** Runs that lost output; true while the gap is open. */
  readonly #runs = new Map<string, boolean>();
  #droppedRecords = 0;
  #droppedBytes = 0;
  #dropping = false;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  admit(records: readonly HistoryRecord[], hasRoom: boolean): readonly HistoryRecord[] {
    if (hasRoom) this.#reopen();
    if (hasRoom && this.#runs.size === 0) return records;
    return records.flatMap((record) => this.#admitOne(record, hasRoom) ?? []);
  }

  #admitOne(record: HistoryRecord, hasRoom: boolean): HistoryRecord | undefined {
    if (record.kind === 'output') {
      if (!hasRoom) return this.#drop(record);
      if (this.#runs.has(record.runId)) this.#runs.set(record.runId, false);
      return record;
    }
    if (record.kind === 'run-ended' && this.#runs.has(record.run.runId)) {
      return { ...record, end: { ...record.end, outputTruncated: true } };
    }
    return record;
  }

  #drop(record: HistoryRecord & { readonly kind: 'output' }): HistoryRecord | undefined {
    if (!this.#dropping) {
      this.#dropping = true;
      this.#logger.error(
        { job: record.job, runId: record.runId },
        'the spool is full beyond its reserve: output of running runs is dropped from here on',
      );
    }
    this.#droppedRecords += 1;
    this.#droppedBytes += record.data.length;
    const isInGap = this.#runs.get(record.runId) === true;
    this.#runs.set(record.runId, true);
    this.#forgetOldest();
    return isInGap ? undefined : { ...record, data: marker.subarray(0, record.data.length) };
  }

  /** A run's end does not forget it: it may be tried again when the disk refuses it. */
  #forgetOldest(): void {
    if (this.#runs.size <= maxRememberedRuns) return;
    const [oldest] = this.#runs.keys();
    if (oldest !== undefined) this.#runs.delete(oldest);
  }

  #reopen(): void {
    if (!this.#dropping) return;
    this.#dropping = false;
    this.#logger.warn(
      { droppedRecords: this.#droppedRecords, droppedBytes: this.#droppedBytes },
      'the spool has room again; output is kept',
    );
    this.#droppedRecords = 0;
    this.#droppedBytes = 0;
  }
}
