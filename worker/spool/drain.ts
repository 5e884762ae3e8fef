/**
 * Takes the log to the store, one batch at a time and in order: a batch goes when it is large
 * enough or its oldest record has waited long enough. While the store takes one, the next one is
 * read from the log, when there is enough for it. A store that cannot be reached is tried for
 * ever, with backoff. A batch that the store refuses is halved until the record it refuses is
 * alone; that one is set aside and the rest goes on.
 */
import { backoffMs, type Clock, type Random } from '../../shared/clock.ts';
import { isCronmeshError } from '../../shared/errors.ts';
import type { HistoryStore } from '../../shared/history/port.ts';
import type { HistoryRecord } from '../../shared/history/records.ts';
import type { Logger } from '../../shared/log.ts';
import type { Alarms } from './alarms.ts';
import type { Ledger } from './ledger.ts';
import type { Batch, LogReader } from './log-reader.ts';
import { idsOf, type RejectedFile } from './rejected-file.ts';

interface DrainOptions {
  readonly reader: LogReader;
  readonly ledger: Ledger;
  readonly store: Pick<HistoryStore, 'ingest'>;
  readonly rejected: RejectedFile;
  readonly clock: Clock;
  readonly random: Random;
  readonly alarms: Alarms;
  readonly logger: Logger;
  readonly batchRecords: number;
  readonly batchBytes: number;
  readonly batchDelayMs: number;
  /** Called when the store has a batch, after it went off the ledger. */
  readonly onTaken: (batch: Batch) => void;
}

const retryMinMs = 100;
const retryMaxMs = 5_000;
/** A call that takes longer than this is told as trouble; it cannot be taken back. */
const slowIngestMs = 30_000;

class DrainStopped extends Error {}

export class Drain {
  readonly #options: DrainOptions;
  #loop: Promise<void> | undefined;
  #stopping = false;
  #hurries = 0;
  /** Cuts a pause after a failure short, once. */
  #isImpatient = false;
  #batchDue = false;
  #wake: (() => void) | undefined;
  /** The batch after the one that is under way. */
  #ahead: Promise<Batch | undefined> | undefined;
  #error: string | undefined;
  #lastDrainedAt: number | undefined;
  #ingestSinceMs: number | undefined;

  constructor(options: DrainOptions) {
    this.#options = options;
  }

  get lastDrainedAt(): number | undefined {
    return this.#lastDrainedAt;
  }

  get error(): string | undefined {
    if (this.#error !== undefined || this.#ingestSinceMs === undefined) return this.#error;
    const waitedMs = this.#options.clock.monotonicMs() - this.#ingestSinceMs;
    return waitedMs < slowIngestMs
      ? undefined
      : `the store has not answered for ${String(Math.round(waitedMs / 1000))} s`;
  }

  start(): void {
    this.#batchDue = true;
    this.#loop ??= this.#run();
  }

  /** Ends after the call that is under way; what the store has not confirmed stays in the log. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#wake?.();
    await this.#loop;
  }

  /** Something was added to the log. */
  notify(): void {
    if (this.#ingestSinceMs !== undefined) this.#readAhead();
    this.#wake?.();
  }

  /** Until the returned function is called, batches go without waiting to fill up. */
  hurry(): () => void {
    this.#hurries += 1;
    this.#isImpatient = true;
    this.#wake?.();
    return () => {
      this.#hurries -= 1;
    };
  }

  async #run(): Promise<void> {
    try {
      for (let batch = await this.#next(); batch !== undefined; batch = await this.#next()) {
        for (const frame of batch.unknown) {
          await this.#setAside(
            () => this.#options.rejected.addUnknown(frame, this.#options.clock.wallMs()),
            { ...frame.position },
            frame.reason,
          );
        }
        await this.#deliver(coalesce(batch.records));
        this.#options.ledger.taken(batch.segment, batch.takenRecords, batch.takenBytes);
        this.#options.onTaken(batch);
      }
    } catch (error) {
      if (!(error instanceof DrainStopped)) throw error;
    } finally {
      // The files may belong to another process afterwards.
      await this.#ahead?.catch(() => undefined);
    }
  }

  /** Undefined when stopped. */
  async #next(): Promise<Batch | undefined> {
    const { reader, batchRecords, batchBytes } = this.#options;
    let attempt = 0;
    while (!this.#stopping && (this.#ahead !== undefined || (await this.#untilDue()))) {
      const reading = this.#ahead ?? reader.next(batchRecords, batchBytes);
      this.#ahead = undefined;
      try {
        const batch = await reading;
        if (batch !== undefined) return batch;
        attempt = 0;
      } catch (error) {
        this.#note(error, 'spooled history cannot be read back now', attempt);
        await this.#pause(attempt);
        attempt += 1;
      }
    }
    return undefined;
  }

  #readAhead(): void {
    if (this.#ahead !== undefined || this.#stopping || !this.#hasFullBatch()) return;
    this.#ahead = this.#options.reader.next(this.#options.batchRecords, this.#options.batchBytes);
    // Looked at when it is its turn.
    this.#ahead.catch(() => undefined);
  }

  #hasFullBatch(): boolean {
    const { ledger, batchRecords, batchBytes } = this.#options;
    return ledger.unreadRecords >= batchRecords || ledger.unreadBytes >= batchBytes;
  }

  /** False when stopped. */
  async #untilDue(): Promise<boolean> {
    const { ledger, alarms, batchDelayMs } = this.#options;
    for (;;) {
      if (this.#stopping) return false;
      if (ledger.pendingRecords === 0) {
        this.#error = undefined;
      } else {
        if (this.#hasFullBatch() || this.#batchDue || this.#hurries > 0) {
          this.#batchDue = false;
          alarms.clear('batch');
          return true;
        }
        if (!alarms.isSet('batch')) {
          alarms.set('batch', batchDelayMs, () => {
            this.#batchDue = true;
            this.#wake?.();
          });
        }
      }
      await this.#woken();
    }
  }

  async #deliver(records: readonly HistoryRecord[]): Promise<void> {
    const [first] = records;
    if (first === undefined) return;
    for (let attempt = 0; ; attempt += 1) {
      if (this.#stopping && attempt > 0) throw new DrainStopped();
      try {
        await this.#ingest(records);
        return;
      } catch (error) {
        if (this.#stopping) throw new DrainStopped();
        if (isCronmeshError(error, 'store-rejected')) {
          await this.#split(records, first, error);
          return;
        }
        this.#note(error, 'the store does not take history; it is kept in the spool', attempt);
        await this.#pause(attempt);
      }
    }
  }

  async #ingest(records: readonly HistoryRecord[]): Promise<void> {
    const { store, clock, logger } = this.#options;
    this.#ingestSinceMs = clock.monotonicMs();
    try {
      const taking = store.ingest(records);
      this.#readAhead();
      await taking;
    } finally {
      this.#ingestSinceMs = undefined;
    }
    // Stopped while it was under way: the files may belong to another process by now.
    if (this.#stopping) throw new DrainStopped();
    if (this.#error !== undefined) logger.info('the store takes history again');
    this.#error = undefined;
    this.#lastDrainedAt = clock.wallMs();
  }

  async #split(
    records: readonly HistoryRecord[],
    first: HistoryRecord,
    error: Error,
  ): Promise<void> {
    if (records.length > 1) {
      const middle = Math.ceil(records.length / 2);
      await this.#deliver(records.slice(0, middle));
      await this.#deliver(records.slice(middle));
      return;
    }
    await this.#setAside(
      () => this.#options.rejected.addRecord(first, error.message, this.#options.clock.wallMs()),
      idsOf(first),
      error.message,
    );
  }

  async #setAside(
    write: () => Promise<void>,
    ids: Record<string, string | number>,
    reason: string,
  ): Promise<void> {
    const { logger, rejected } = this.#options;
    for (let attempt = 0; ; attempt += 1) {
      try {
        await write();
        break;
      } catch (error) {
        this.#note(error, 'a refused record cannot be set aside', attempt);
        await this.#pause(attempt);
      }
    }
    logger.error(
      { ...ids, reason, file: rejected.path },
      'the store refuses a record; it is set aside and the rest goes on',
    );
  }

  #note(error: unknown, message: string, attempt: number): void {
    const text = error instanceof Error ? error.message : String(error);
    this.#error = text;
    // Powers of two: the first failure at once, then ever more seldom.
    if ((attempt & (attempt + 1)) === 0) {
      this.#options.logger.warn({ err: error, attempt: attempt + 1 }, message);
    }
  }

  async #pause(attempt: number): Promise<void> {
    const { alarms, clock, random } = this.#options;
    const delayMs = backoffMs(attempt, retryMinMs, retryMaxMs, random);
    const untilMs = clock.monotonicMs() + delayMs;
    alarms.set('retry', delayMs, () => this.#wake?.());
    this.#isImpatient = false;
    while (!this.#stopping && !this.#isImpatient && clock.monotonicMs() < untilMs) {
      await this.#woken();
    }
    if (this.#stopping) throw new DrainStopped();
  }

  #woken(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}

/** A run whose start and end travel together needs only its end, which says both. */
function coalesce(records: readonly HistoryRecord[]): readonly HistoryRecord[] {
  const endedAt = new Map<string, number>();
  records.forEach((record, index) => {
    if (record.kind === 'run-ended') endedAt.set(record.run.runId, index);
  });
  if (endedAt.size === 0) return records;
  return records.filter(
    (record, index) =>
      record.kind !== 'run-started' || (endedAt.get(record.run.runId) ?? -1) < index,
  );
}
