/**
 * History in one SQLite file, shared by the processes of one machine. SQLite's calls are
 * synchronous, so they run in threads: one for writes and one for reads, each started when it is
 * first needed. start() touches nothing and cannot fail; ping() says whether the file can be used,
 * and every call opens it again if it could not be before.
 */
import type { Clock } from '../../clock.ts';
import type { Logger } from '../../log.ts';
import type { HistoryStore, RunsPage, RunsQuery } from '../port.ts';
import { piecesOf } from '../record-pieces.ts';
import { checkRecords } from '../record-schema.ts';
import type { HistoryRecord, HistoryRow, OutputChunk } from '../records.ts';
import { parseLastRuns, parseOutputRange, parseRowId, parseRunsQuery } from '../runs-query.ts';
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

export class SqliteHistory implements HistoryStore {
  readonly #writer: ThreadLink;
  readonly #reader: ThreadLink;
  readonly #logger: Logger;

  constructor(file: string, deps: { readonly clock: Clock; readonly logger: Logger }) {
    this.#logger = deps.logger;
    this.#writer = new ThreadLink(file, deps);
    this.#reader = new ThreadLink(file, deps);
  }

  async start(): Promise<void> {}

  async stop(): Promise<void> {
    await Promise.all([this.#writer.stop(), this.#reader.stop()]);
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

  #rowsOf(answer: RowsAnswer): readonly HistoryRow[] {
    if (answer.unreadable.length > 0) {
      this.#logger.warn({ ids: answer.unreadable }, 'history rows cannot be read');
    }
    return answer.rows;
  }
}
