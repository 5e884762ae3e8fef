/**
 * What the spool's tests share: records that carry a number, a store that remembers what it took
 * and merges like a real one, and spools under temporary folders that are gone after the test.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { pino } from 'pino';
import { systemClock } from '../../shared/clock.ts';
import { CronmeshError } from '../../shared/errors.ts';
import { Releasers } from '../../shared/lifecycle.ts';
import type { HistoryRecord, RunFacts } from '../../shared/history/records.ts';
import type { Spool } from '../../worker/spool/port.ts';
import { openSpool, type SpoolOptions } from '../../worker/spool/spool.ts';

export function runFacts(runId: string): RunFacts {
  return {
    runId,
    job: 'backup',
    group: 'nightly',
    cause: 'tick',
    tick: 1_760_000_000_000,
    fireId: 't1760000000000',
    attempt: 1,
    worker: 'worker-1',
    fence: 42,
    command: 'tar -c /srv | gzip',
  };
}

/** A record that is never dropped, whatever the room. */
export function numbered(number: number): HistoryRecord {
  return {
    kind: 'not-run',
    id: String(number),
    job: 'backup',
    group: 'nightly',
    outcome: 'skipped',
    cause: 'tick',
    reason: 'still running',
    fromTick: number - 1,
    toTick: number,
    count: 1,
    schedule: '* * * * * *',
    at: 1_760_000_000_000,
    worker: 'worker-1',
  };
}

export function output(runId: string, offset: number, data: Buffer): HistoryRecord {
  return { kind: 'output', runId, job: 'backup', stream: 'stdout', offset, at: 1, data };
}

export function ended(runId: string): HistoryRecord {
  return {
    kind: 'run-ended',
    run: runFacts(runId),
    end: {
      outcome: 'succeeded',
      startedAt: 1,
      endedAt: 2,
      exitCode: 0,
      outputBytes: 0,
      outputTruncated: false,
    },
  };
}

export function started(runId: string): HistoryRecord {
  return { kind: 'run-started', run: runFacts(runId), startedAt: 1 };
}

/** One string per record by which a real store would tell it from others. */
export function keyOf(record: HistoryRecord): string {
  switch (record.kind) {
    case 'output':
      return `output ${record.runId} ${String(record.offset)}`;
    case 'not-run':
      return record.id;
    case 'run-started':
    case 'run-ended':
    case 'run-lost':
      return `${record.kind} ${record.run.runId}`;
  }
}

export class RecordingStore {
  readonly batches: (readonly HistoryRecord[])[] = [];
  /** What ingest throws instead, for as long as it is set. */
  down: Error | undefined;
  /** Refuses any batch with such a record in it. */
  isPoison: (record: HistoryRecord) => boolean = () => false;

  get records(): readonly HistoryRecord[] {
    return this.batches.flat();
  }

  /** Keys in the order of their first arrival: what a store that merges by id would hold. */
  get keys(): readonly string[] {
    return [...new Set(this.records.map(keyOf))];
  }

  ingest(records: readonly HistoryRecord[]): Promise<void> {
    if (this.down !== undefined) return Promise.reject(this.down);
    if (records.some((record) => this.isPoison(record))) {
      return Promise.reject(new CronmeshError('store-rejected', 'a field is not acceptable'));
    }
    this.batches.push(records);
    return Promise.resolve();
  }
}

export const storeDown = new CronmeshError('store-unavailable', 'connection refused');

export class LogLines {
  readonly lines: Record<string, unknown>[] = [];
  readonly logger = pino(
    { level: 'debug' },
    {
      write: (line: string) => {
        const parsed: unknown = JSON.parse(line);
        if (typeof parsed === 'object' && parsed !== null) this.lines.push({ ...parsed });
      },
    },
  );

  /** Lines of warnings and errors whose message contains `text`. */
  loud(text: string): Record<string, unknown>[] {
    return this.lines.filter(
      ({ level, msg }) => Number(level) >= 40 && typeof msg === 'string' && msg.includes(text),
    );
  }
}

export interface SpoolUnderTest {
  readonly spool: Spool;
  readonly store: RecordingStore;
  readonly log: LogLines;
}

const cleaners = new WeakMap<TestContext, Releasers>();

/** Runs at the test's end, in reverse order of registration; node:test alone goes forward. */
export function cleanUp(t: TestContext, name: string, release: () => unknown): void {
  let releasers = cleaners.get(t);
  if (releasers === undefined) {
    releasers = new Releasers();
    cleaners.set(t, releasers);
    const all = releasers;
    t.after(async () => {
      const errors: unknown[] = [];
      await all.releaseAll((_name, error) => errors.push(error));
      if (errors.length > 0) throw new AggregateError(errors, 'clean-up failed');
    });
  }
  releasers.add(name, release);
}

export async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'cronmesh-spool-'));
  cleanUp(t, 'folder', () => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Opens and starts a spool; the test's end stops it. */
export async function startSpool(
  t: TestContext,
  directory: string,
  options: Partial<SpoolOptions> = {},
): Promise<SpoolUnderTest> {
  const store = new RecordingStore();
  const log = new LogLines();
  const spool = openSpool({
    directory,
    store,
    clock: systemClock,
    random: Math.random,
    logger: log.logger,
    batchDelayMs: 20,
    stopDrainMs: 200,
    ...options,
  });
  cleanUp(t, 'spool', () => spool.stop());
  await spool.start();
  return { spool, store, log };
}

/** A bound on waits that should end long before. */
export function patience(): AbortSignal {
  return AbortSignal.timeout(20_000);
}
