/**
 * History in one SQLite file, shared by the processes of one machine. SQLite's calls are
 * synchronous, so they run in threads: one for writes and one for reads, each started when it is
 * first needed, and one for what reads the whole file, as long as that takes. start() touches nothing and cannot fail; ping() says whether the file can be used,
 * and every call opens it again if it could not be before.
 */
import type { Clock } from '../../clock.ts';
import { CronmeshError } from '../../errors.ts';
import type { Logger } from '../../log.ts';
import type { HistoryStore, RunsPage, RunsQuery } from '../port.ts';
import { piecesOf } from '../record-pieces.ts';
import { checkRecords } from '../record-schema.ts';
import { parsePruneAsk, type PruneAsk, type PruneStep, type StorageUse } from '../prune.ts';
import type { HistoryRecord, HistoryRow, OutputChunk } from '../records.ts';
import {
  parseLastRuns,
  parseOutputRange,
  parseRowId,
  parseRunsQuery,
  type RowPosition,
} from '../runs-query.ts';
import {
  dayCountsOf,
  durationsOf,
  jobCountsOf,
  parseCounts,
  parseDayCounts,
  parseDurations,
  type CountsQuery,
  type DayCounts,
  type DayCountsQuery,
  type DurationsQuery,
  type JobCounts,
  type JobDurations,
} from '../stats.ts';
import { ThreadLink } from './thread-link.ts';
import { packRecords, unpackChunks, type RowsAnswer } from './thread-protocol.ts';

/** Reading a file of many gigabytes takes its time. */
const wholeFileMs = 3_600_000;

export class SqliteHistory implements HistoryStore {
  readonly #file: string;
  readonly #deps: { readonly clock: Clock; readonly logger: Logger };
  readonly #asides = new Set<ThreadLink>();
  readonly #writer: ThreadLink;
  readonly #reader: ThreadLink;
  readonly #logger: Logger;
  #isStopped = false;

  constructor(file: string, deps: { readonly clock: Clock; readonly logger: Logger }) {
    this.#file = file;
    this.#deps = deps;
    this.#logger = deps.logger;
    this.#writer = new ThreadLink(file, deps);
    this.#reader = new ThreadLink(file, deps);
  }

  async start(): Promise<void> {}

  async stop(): Promise<void> {
    this.#isStopped = true;
    const links = [this.#writer, this.#reader, ...this.#asides];
    await Promise.all(links.map((link) => link.stop()));
  }

  async ping(): Promise<void> {
    const link = this.#writer.isRunning ? this.#writer : this.#reader;
    await link.call('ping', null);
  }

  async ingest(records: readonly HistoryRecord[]): Promise<void> {
    for (const piece of piecesOf(records)) {
      const packed = packRecords(checkRecords(piece.records, piece.first));
      await this.#writer.call('ingest', packed, [packed.bytes]);
    }
  }

  async listRuns(query: RunsQuery): Promise<RunsPage> {
    const answer = await this.#reader.call('listRuns', parseRunsQuery(query));
    const items = this.#rowsOf(answer);
    return answer.nextCursor === undefined ? { items } : { items, nextCursor: answer.nextCursor };
  }

  async getRun(id: string): Promise<HistoryRow | undefined> {
    return this.#rowsOf(await this.#reader.call('getRun', parseRowId(id)))[0];
  }

  async lastRuns(
    jobs: readonly string[],
    limit: number,
  ): Promise<ReadonlyMap<string, readonly HistoryRow[]>> {
    const ask = parseLastRuns(jobs, limit);
    const rows = this.#rowsOf(await this.#reader.call('lastRuns', ask));
    const byJob = new Map<string, HistoryRow[]>(ask.jobs.map((job) => [job, []]));
    for (const row of rows) byJob.get(row.job)?.push(row);
    return byJob;
  }

  async readOutput(
    runId: string,
    fromOffset: number,
    maxBytes: number,
  ): Promise<readonly OutputChunk[]> {
    const range = parseOutputRange({ runId, fromOffset, maxBytes });
    return unpackChunks(await this.#reader.call('readOutput', range));
  }

  async outputEnd(runId: string): Promise<number> {
    return this.#reader.call('outputEnd', parseRowId(runId));
  }

  async countByJob(query: CountsQuery): Promise<readonly JobCounts[]> {
    return jobCountsOf(await this.#reader.call('countJobs', parseCounts(query)));
  }

  async countByDay(query: DayCountsQuery): Promise<readonly DayCounts[]> {
    return dayCountsOf(await this.#reader.call('countDays', parseDayCounts(query)));
  }

  async durations(query: DurationsQuery): Promise<readonly JobDurations[]> {
    const ask = parseDurations(query);
    return durationsOf(ask.jobs, await this.#reader.call('timedRuns', ask));
  }

  async nextJob(after: string): Promise<string | undefined> {
    return this.#reader.call('nextJob', after);
  }

  async prune(input: PruneAsk): Promise<PruneStep> {
    const ask = parsePruneAsk(input);
    const { go, lookedTo } = await this.#reader.call('oldRows', ask);
    const ids = go.map(({ id }) => id);
    if (ids.length === 0) return { rows: 0, chunks: 0, ...nextPart(lookedTo) };
    const done = await this.#writer.call('deleteRows', ids);
    if (done.rows === ids.length) return { ...done, ...nextPart(lookedTo) };
    // What is behind the last one that is done was only looked at.
    const next = go[done.rows - 1] ?? ask.after ?? { tick: -1, id: '' };
    return { ...done, next };
  }

  async storageUse(): Promise<StorageUse> {
    return this.#aside((link) => link.call('storageUse', null, [], wholeFileMs));
  }

  async check(): Promise<readonly string[]> {
    return this.#aside((link) => link.call('check', null, [], wholeFileMs));
  }

  /** In a thread of its own: nobody waits for what reads the whole file. */
  async #aside<T>(use: (link: ThreadLink) => Promise<T>): Promise<T> {
    if (this.#isStopped) {
      throw new CronmeshError('store-unavailable', 'the history store is stopped');
    }
    const link = new ThreadLink(this.#file, this.#deps);
    this.#asides.add(link);
    try {
      return await use(link);
    } finally {
      this.#asides.delete(link);
      await link.stop();
    }
  }

  #rowsOf(answer: RowsAnswer): readonly HistoryRow[] {
    if (answer.unreadable.length > 0) {
      this.#logger.warn({ ids: answer.unreadable }, 'history rows cannot be read');
    }
    return answer.rows;
  }
}

function nextPart(next: RowPosition | undefined): { readonly next?: RowPosition } {
  return next === undefined ? {} : { next };
}
