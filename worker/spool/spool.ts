/**
 * The spool of one worker: a log of segment files, its drain to the store, the entries held until
 * their completion is settled, and the bounds that tell the worker when to stop claiming.
 * What resolved is on disk. A call that rejected may have reached the disk all the same.
 */
import { resolve as absolutePath } from 'node:path';
import type { Clock, Random } from '../../shared/clock.ts';
import { CronmeshError, isCronmeshError } from '../../shared/errors.ts';
import type { HistoryStore } from '../../shared/history/port.ts';
import type { HistoryRecord } from '../../shared/history/records.ts';
import { once } from '../../shared/lifecycle.ts';
import type { Logger } from '../../shared/log.ts';
import { readAcknowledged, writeAcknowledged } from './acknowledged.ts';
import { Alarms } from './alarms.ts';
import { Capacity } from './capacity.ts';
import { Collector } from './collector.ts';
import { errnoOf, makeDirectory } from './disk.ts';
import { Drain } from './drain.ts';
import { encodeNote, encodeRecord, splitLargeOutput } from './entry-codec.ts';
import { segmentHeader } from './frame.ts';
import { HeldEntries } from './held-entries.ts';
import { Ledger, type Position, type Segment } from './ledger.ts';
import { LogReader } from './log-reader.ts';
import { OutputGate } from './output-gate.ts';
import { Owner, ownerRefreshMs } from './owner.ts';
import type { HeldEntry, Spool, SpoolState } from './port.ts';
import { RejectedFile } from './rejected-file.ts';
import { replay } from './replay.ts';
import { SegmentWriter } from './segment-writer.ts';

export interface SpoolOptions {
  /** Made when missing; owned by this process alone. */
  readonly directory: string;
  readonly store: Pick<HistoryStore, 'ingest'>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: Random;
  /** Default 1 GiB. */
  readonly maxBytes?: number;
  /** A batch for the store goes at 500 records, 4 MiB or after 200 ms, whichever is first. */
  readonly batchRecords?: number;
  readonly batchBytes?: number;
  readonly batchDelayMs?: number;
  /** How long stop() goes on draining; default 1 s. */
  readonly stopDrainMs?: number;
}

interface Parts {
  readonly writer: SegmentWriter;
  readonly reader: LogReader;
  readonly drain: Drain;
  readonly held: HeldEntries;
  readonly collector: Collector;
}

const mebibyte = 1024 * 1024;
const maxSegmentBytes = 8 * mebibyte;
const cacheBytes = 8 * mebibyte;
const acknowledgeDelayMs = 100;
/** With nothing pending, a segment larger than this is given back to the disk. */
const idleSegmentBytes = 64 * 1024;
/** Written to learn whether the disk takes writes. */
const probe = { frames: [encodeNote()], essential: true, onDurable: () => undefined };

/** start() throws `config-invalid` when the directory cannot be used or another process owns it. */
export function openSpool(options: SpoolOptions): Spool {
  return new DiskSpool(options);
}

class DiskSpool implements Spool {
  readonly #options: Required<SpoolOptions>;
  readonly #alarms: Alarms;
  readonly #owner: Owner;
  readonly #rejected: RejectedFile;
  readonly #gate: OutputGate;
  readonly #capacity: Capacity;
  readonly #ledger = new Ledger();
  /** Asked to stop. */
  readonly #aborter = new AbortController();
  /** Stopped: nothing will drain any more. */
  readonly #gone = new AbortController();
  #starting: Promise<void> | undefined;
  #parts: Parts | undefined;
  #phase: 'new' | 'running' | 'stopping' | 'stopped' = 'new';
  #acknowledged: Position = { segment: 0, offset: segmentHeader.length };
  #wasAccepting = true;

  constructor(options: SpoolOptions) {
    this.#options = {
      maxBytes: 1024 * mebibyte,
      batchRecords: 500,
      batchBytes: 4 * mebibyte,
      batchDelayMs: 200,
      stopDrainMs: 1_000,
      ...options,
      directory: absolutePath(options.directory),
    };
    const { directory, clock, logger, maxBytes } = this.#options;
    this.#alarms = new Alarms(clock);
    this.#owner = new Owner(directory, clock);
    this.#rejected = new RejectedFile(directory);
    this.#gate = new OutputGate(logger);
    this.#capacity = new Capacity(directory, maxBytes);
  }

  readonly start = once(() => (this.#starting = this.#start()));
  readonly stop = once(() => this.#stop());

  async append(records: readonly HistoryRecord[]): Promise<void> {
    await this.#append(this.#running(), this.#admit(records));
  }

  async #append({ writer }: Parts, admitted: readonly HistoryRecord[]): Promise<void> {
    if (admitted.length === 0) return;
    const frames = admitted.map(encodeRecord);
    await writer.write({
      frames,
      essential: admitted.some((record) => record.kind !== 'output'),
      onDurable: (segment) => this.#grew(segment, frames),
    });
  }

  async hold(entry: HeldEntry): Promise<void> {
    const { held } = this.#running();
    await held.hold({ ...entry, records: this.#admit(entry.records) });
  }

  async release(id: string, extra: readonly HistoryRecord[] = []): Promise<void> {
    const parts = this.#running();
    const admitted = this.#admit(extra);
    // Without an entry to go with, what came along is history all the same.
    if (!(await parts.held.release(id, admitted))) await this.#append(parts, admitted);
  }

  held(): readonly HeldEntry[] {
    return this.#parts?.held.found() ?? [];
  }

  state(): SpoolState {
    const reason = this.#refusal();
    const lastDrainedAt = this.#parts?.drain.lastDrainedAt;
    const drainError = this.#parts?.drain.error;
    return {
      pendingBytes: this.#ledger.pendingBytes + (this.#parts?.held.bytes ?? 0),
      pendingRecords: this.#ledger.pendingRecords + (this.#parts?.held.records ?? 0),
      maxBytes: this.#options.maxBytes,
      rejectedRecords: this.#rejected.records,
      accepting: reason === undefined,
      ...(reason === undefined ? {} : { reason }),
      ...(lastDrainedAt === undefined ? {} : { lastDrainedAt }),
      ...(drainError === undefined ? {} : { drainError }),
    };
  }

  hurry(): () => void {
    return this.#parts?.drain.hurry() ?? (() => undefined);
  }

  async drained(signal: AbortSignal): Promise<void> {
    await this.#drain(this.#running(), signal);
  }

  async #start(): Promise<void> {
    const { directory, logger } = this.#options;
    if (this.#phase !== 'new') throw new CronmeshError('spool-unavailable', 'the spool is stopped');
    try {
      await makeDirectory(directory);
      await this.#owner.take(this.#aborter.signal);
      this.#acknowledged = (await readAcknowledged(directory)) ?? this.#acknowledged;
      this.#parts = await this.#assemble(this.#acknowledged);
      await this.#rejected.measure();
      await this.#capacity.measureDisk();
      // Fails here rather than at the first run when the directory is not writable.
      await this.#parts.writer.write(probe).catch(refuseWithoutPermission);
    } catch (error) {
      await this.#parts?.writer.close();
      await this.#owner.release();
      throw isCronmeshError(error)
        ? error
        : new CronmeshError(
            'config-invalid',
            `the spool directory ${directory} cannot be used: ${String(error)}`,
            { cause: error },
          );
    }
    this.#phase = 'running';
    this.#parts.drain.start();
    await this.#parts.collector.collect();
    this.#scheduleCheck(this.#parts);
    const { pendingRecords, pendingBytes } = this.#ledger;
    logger.info(
      { directory, pendingRecords, pendingBytes, held: this.#parts.held.size },
      'spool open',
    );
  }

  async #assemble(acknowledged: Position): Promise<Parts> {
    const { directory, logger, maxBytes } = this.#options;
    const ledger = this.#ledger;
    const found = await replay({ directory, acknowledged, ledger, logger });
    const reader = new LogReader({ ledger, logger, start: acknowledged, cacheBytes });
    const writer = new SegmentWriter({
      directory,
      ledger,
      logger,
      segmentBytes: Math.max(64 * 1024, Math.min(maxSegmentBytes, maxBytes / 16)),
      firstNumber: 1 + Math.max(found.lastNumber, acknowledged.segment),
      onCommitted: (segment, offset, bytes) => reader.offer(segment, offset, bytes),
    });
    const held = new HeldEntries({
      writer,
      found: found.holds,
      onRecords: (segment, frames) => this.#grew(segment, frames),
      onReleased: () => void this.#parts?.collector.collect(),
    });
    const drain = new Drain({
      ...this.#options,
      reader,
      ledger,
      rejected: this.#rejected,
      alarms: this.#alarms,
      onTaken: (batch) => this.#taken(batch.end),
    });
    return { writer, reader, drain, held, collector: new Collector(ledger, held, logger) };
  }

  async #stop(): Promise<void> {
    this.#aborter.abort(new CronmeshError('spool-unavailable', 'the spool is stopped'));
    // A start that failed has told its caller and cleaned up.
    await this.#starting?.catch(() => undefined);
    const parts = this.#parts;
    if (parts === undefined || this.#phase !== 'running') {
      this.#phase = 'stopped';
      return;
    }
    this.#phase = 'stopping';
    const patience = new AbortController();
    this.#alarms.set('stop', this.#options.stopDrainMs, () => patience.abort());
    await this.#drain(parts, patience.signal);
    // A store that does not answer must not hold up the exit; it finds nothing to do afterwards.
    await Promise.race([parts.drain.stop(), aborted(patience.signal)]);
    await parts.collector.collect();
    await parts.writer.close();
    // Leaves an empty directory behind, unless something is held or pending.
    if (parts.held.size === 0) await parts.collector.collect();
    this.#phase = 'stopped';
    this.#gone.abort();
    this.#alarms.clearAll();
    await this.#acknowledge();
    await this.#owner.release();
    const { pendingRecords, pendingBytes } = this.#ledger;
    const held = parts.held.size;
    this.#options.logger.info({ pendingRecords, pendingBytes, held }, 'spool closed');
  }

  #running(): Parts {
    if (this.#parts !== undefined && this.#phase === 'running') return this.#parts;
    const when = this.#phase === 'new' ? 'not started' : 'stopped';
    throw new CronmeshError('spool-unavailable', `the spool is ${when}`);
  }

  #admit(records: readonly HistoryRecord[]): readonly HistoryRecord[] {
    const waitingBytes = this.#parts?.writer.waitingBytes ?? 0;
    const hasRoom = this.#capacity.hasRoomForOutput(this.#usedBytes() + waitingBytes, waitingBytes);
    return this.#gate.admit(records, hasRoom).flatMap(splitLargeOutput);
  }

  #usedBytes(): number {
    return this.#ledger.pendingBytes + (this.#parts?.held.bytes ?? 0) + this.#rejected.bytes;
  }

  #refusal(): string | undefined {
    if (this.#parts === undefined || this.#phase !== 'running') {
      return this.#phase === 'new' ? 'the spool is not started' : 'the spool is stopped';
    }
    return this.#capacity.refusal(this.#usedBytes(), this.#parts.writer.failure);
  }

  #grew(segment: Segment, frames: readonly Buffer[]): void {
    const bytes = frames.reduce((sum, frame) => sum + frame.length, 0);
    this.#ledger.grow(segment, frames.length, bytes);
    this.#parts?.drain.notify();
  }

  #taken(end: Position): void {
    this.#acknowledged = end;
    if (!this.#alarms.isSet('acknowledge')) {
      this.#alarms.set('acknowledge', acknowledgeDelayMs, () => void this.#acknowledge());
    }
    void this.#parts?.collector.collect();
  }

  async #acknowledge(): Promise<void> {
    // Only saves repetition after a crash, so a failure is worth no more than a line.
    await writeAcknowledged(this.#options.directory, this.#acknowledged).catch((error: unknown) => {
      this.#options.logger.debug({ err: error }, 'the spool position could not be written');
    });
  }

  async #drain({ writer, drain }: Parts, signal: AbortSignal): Promise<void> {
    const relax = drain.hurry();
    try {
      await writer.flushed();
      await this.#ledger.untilSettled(AbortSignal.any([signal, this.#gone.signal]));
    } finally {
      relax();
    }
  }

  /** Every few seconds: is the disk well, and does it take writes again after it did not. */
  #scheduleCheck(parts: Parts): void {
    this.#noteAccepting();
    this.#alarms.set('check', ownerRefreshMs, () => void this.#check(parts));
  }

  async #check(parts: Parts): Promise<void> {
    const { writer, collector } = parts;
    await this.#capacity.measureDisk();
    await this.#owner.refresh();
    if (writer.failure !== undefined) await writer.write(probe).catch(() => undefined);
    if (this.#ledger.pendingRecords === 0 && writer.activeBytes > idleSegmentBytes) {
      await writer.roll();
    }
    if (this.#phase === 'running') await collector.collect();
    if (this.#phase === 'running') this.#scheduleCheck(parts);
  }

  #noteAccepting(): void {
    const reason = this.#refusal();
    const isAccepting = reason === undefined;
    if (isAccepting === this.#wasAccepting) return;
    this.#wasAccepting = isAccepting;
    const { logger } = this.#options;
    if (isAccepting) logger.info('the spool accepts new runs again');
    else logger.warn({ reason }, 'the spool accepts no new runs');
  }
}

function refuseWithoutPermission(error: unknown): void {
  const cause = error instanceof Error ? error.cause : undefined;
  const code = errnoOf(cause);
  if (code === 'EACCES' || code === 'EPERM') throw cause;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
