/**
 * History in MongoDB, for a fleet. The server is reached at the first call that needs it and again
 * after every failure: start() does not need it and cannot fail, ping() says whether it can be used.
 * A write is acknowledged once a majority of the replica set has it in its journal, because a spool
 * entry is released then. A server that is down or frozen makes a call fail within seconds.
 */
import { setImmediate as yieldToLoop } from 'node:timers/promises';
import type { AnyBulkWriteOperation, Collection, Db, Document, MongoClient } from 'mongodb';
import { sleep, type Clock } from '../../clock.ts';
import { once } from '../../lifecycle.ts';
import { CronmeshError } from '../../errors.ts';
import type { Logger } from '../../log.ts';
import { historyUrlError } from '../history-url.ts';
import type { HistoryStore, RunsPage, RunsQuery } from '../port.ts';
import { parsePruneAsk, type PruneAsk, type PruneStep, type StorageUse } from '../prune.ts';
import { piecesOf } from '../record-pieces.ts';
import { checkRecords } from '../record-schema.ts';
import type { HistoryRecord, HistoryRow, OutputChunk } from '../records.ts';
import { foldRows, rowOf } from '../row-parts.ts';
import {
  encodeCursor,
  parseLastRuns,
  parseOutputRange,
  parseRowId,
  parseRunsQuery,
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
import { bulkWriteAll } from './bulk-write.ts';
import {
  chunkDocument,
  rowPartsFrom,
  rowWrite,
  schemaVersion,
  type ChunkDocument,
  type RowDocument,
} from './documents.ts';
import { loadDriver, type Driver } from './driver.ts';
import { createIndexes } from './indexes.ts';
import { isDuplicateKey, storeErrorOf } from './mongo-errors.ts';
import {
  countDaysPipeline,
  countJobsPipeline,
  dayCountsFrom,
  jobCountsFrom,
  timedRunsFrom,
  timedRunsPipeline,
} from './mongo-stats.ts';
import { nextJob, pruneStep, storageUse } from './mongo-prune.ts';
import { lastRunsPipelines, listRunsQuery, readChunks, readOutputEnd } from './mongo-reads.ts';

const serverSelectionTimeoutMs = 3000;
const connectTimeoutMs = 3000;
/** Between two looks at a server; one that hangs is noticed after this and the connect timeout. */
const heartbeatMs = 2000;
const socketTimeoutMs = 20_000;
const indexRetryMs = 10_000;
const maxBulkWrites = 500;
/** So many share the server's commits to its journal. */
const bulksAtOnce = 4;

export class MongoHistory implements HistoryStore {
  readonly #driver: Driver;
  readonly #client: MongoClient;
  readonly #db: Db;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #underWay = new Set<Promise<unknown>>();
  readonly #stopping = new AbortController();
  #prepared: Promise<void> | undefined;
  #indexing: Promise<void> | undefined;

  /** Throws `config-invalid` when the driver does not accept the URL. */
  constructor(
    url: string,
    database: string,
    deps: { readonly clock: Clock; readonly logger: Logger },
  ) {
    this.#clock = deps.clock;
    this.#logger = deps.logger;
    this.#driver = loadDriver();
    try {
      this.#client = new this.#driver.MongoClient(url, {
        appName: 'cronmesh',
        serverSelectionTimeoutMS: serverSelectionTimeoutMs,
        connectTimeoutMS: connectTimeoutMs,
        heartbeatFrequencyMS: heartbeatMs,
        socketTimeoutMS: socketTimeoutMs,
        waitQueueTimeoutMS: socketTimeoutMs,
        maxPoolSize: 10,
        retryReads: true,
        retryWrites: true,
        ignoreUndefined: true,
        promoteBuffers: true,
      });
    } catch (error) {
      const message = error instanceof Error ? error.message.replaceAll(url, 'it') : String(error);
      throw historyUrlError(url, `is not a URL that MongoDB's driver accepts: ${message}`);
    }
    // Said here and not to the client, where the URL's options would prevail. The journal matters
    // also without a replica set: a killed server would lose what it had acknowledged.
    this.#db = this.#client.db(database, {
      writeConcern: { w: 'majority', journal: true, wtimeoutMS: socketTimeoutMs },
    });
  }

  async start(): Promise<void> {}

  /** Lets the calls under way finish; each of them is bounded by the timeouts. */
  readonly stop = once(async () => {
    this.#stopping.abort();
    await Promise.allSettled(this.#underWay);
    await this.#client.close();
    await this.#indexing;
  });

  async ping(): Promise<void> {
    await this.#call(async () => {
      await this.#db.command({ ping: 1 });
    });
  }

  async ingest(records: readonly HistoryRecord[]): Promise<void> {
    const pieces: HistoryRecord[][] = [];
    for (const piece of piecesOf(records)) {
      pieces.push(checkRecords(piece.records, piece.first));
      await yieldToLoop();
    }
    await this.#call(() => this.#write(pieces));
  }

  async listRuns(query: RunsQuery): Promise<RunsPage> {
    const parsed = parseRunsQuery(query);
    const { filter, options } = listRunsQuery(parsed);
    const found = await this.#call(() => this.#rows.find(filter, options).toArray());
    const page = found.slice(0, parsed.limit);
    const last = page.at(-1);
    const items = this.#rowsFrom(page);
    if (found.length <= parsed.limit || last === undefined) return { items };
    return { items, nextCursor: encodeCursor({ tick: Number(last['tick']), id: last._id }) };
  }

  async getRun(id: string): Promise<HistoryRow | undefined> {
    const _id = parseRowId(id);
    const found = await this.#call(() => this.#rows.findOne({ _id }));
    return found === null ? undefined : this.#rowsFrom([found])[0];
  }

  async lastRuns(
    jobs: readonly string[],
    limit: number,
  ): Promise<ReadonlyMap<string, readonly HistoryRow[]>> {
    const ask = parseLastRuns(jobs, limit);
    const byJob = new Map<string, HistoryRow[]>(ask.jobs.map((job) => [job, []]));
    for (const pipeline of lastRunsPipelines(this.#rows.collectionName, ask.jobs, ask.limit)) {
      const found = await this.#call(() =>
        this.#rows.aggregate<RowDocument>(pipeline, { batchSize: 1000 }).toArray(),
      );
      for (const row of this.#rowsFrom(found)) byJob.get(row.job)?.push(row);
    }
    return byJob;
  }

  async readOutput(
    runId: string,
    fromOffset: number,
    maxBytes: number,
  ): Promise<readonly OutputChunk[]> {
    const range = parseOutputRange({ runId, fromOffset, maxBytes });
    return this.#call(() => readChunks(this.#output, range));
  }

  async outputEnd(runId: string): Promise<number> {
    const id = parseRowId(runId);
    return this.#call(() => readOutputEnd(this.#output, id));
  }

  async countByJob(query: CountsQuery): Promise<readonly JobCounts[]> {
    return jobCountsOf(jobCountsFrom(await this.#aggregate(countJobsPipeline(parseCounts(query)))));
  }

  async countByDay(query: DayCountsQuery): Promise<readonly DayCounts[]> {
    const pipeline = countDaysPipeline(parseDayCounts(query));
    return dayCountsOf(dayCountsFrom(await this.#aggregate(pipeline)));
  }

  async durations(query: DurationsQuery): Promise<readonly JobDurations[]> {
    const ask = parseDurations(query);
    const pipeline = timedRunsPipeline(this.#rows.collectionName, ask);
    return durationsOf(ask.jobs, timedRunsFrom(await this.#aggregate(pipeline)));
  }

  async nextJob(after: string): Promise<string | undefined> {
    return this.#call(() => nextJob(this.#collections, after));
  }

  async prune(input: PruneAsk): Promise<PruneStep> {
    const ask = parsePruneAsk(input);
    return this.#call(() => pruneStep(this.#collections, ask));
  }

  async storageUse(): Promise<StorageUse> {
    return this.#call(() => storageUse(this.#db, this.#collections));
  }

  /** The server looks after its own files. */
  async check(): Promise<readonly string[]> {
    await this.ping();
    return [];
  }

  #aggregate(pipeline: Document[]): Promise<Document[]> {
    return this.#call(() => this.#rows.aggregate(pipeline, { batchSize: 1000 }).toArray());
  }

  get #rows(): Collection<RowDocument> {
    return this.#db.collection<RowDocument>('rows');
  }

  get #collections() {
    return { rows: this.#rows, output: this.#output };
  }

  get #output(): Collection<ChunkDocument> {
    return this.#db.collection<ChunkDocument>('output');
  }

  /** Output before rows: whoever sees a run ended finds all of its output that came with it. */
  async #write(pieces: readonly (readonly HistoryRecord[])[]): Promise<void> {
    const chunks = pieces.map((piece) =>
      piece
        .filter((record) => record.kind === 'output')
        .map((record) => ({ insertOne: { document: chunkDocument(record) } })),
    );
    const rows = foldRows(pieces.flat().filter((record) => record.kind !== 'output'));
    const writes = [...rows].map(([id, parts]) => rowWrite(id, parts));
    await this.#writeAll(this.#output, chunks);
    await this.#writeAll(this.#rows, slicesOf(writes, maxBulkWrites));
  }

  /** In whatever order: each says all that it says by itself, and none of them is of another's row. */
  async #writeAll(
    collection: Collection<RowDocument>,
    bulks: readonly (readonly AnyBulkWriteOperation<RowDocument>[])[],
  ): Promise<void> {
    for (const some of slicesOf(bulks, bulksAtOnce)) {
      const written = await Promise.allSettled(
        some.map((bulk) => bulkWriteAll(this.#driver, collection, bulk)),
      );
      for (const each of written) if (each.status === 'rejected') throw each.reason;
    }
  }

  #rowsFrom(found: readonly RowDocument[]): HistoryRow[] {
    return found.flatMap((document) => {
      const parts = rowPartsFrom(document);
      if (parts !== undefined) return [rowOf(parts)];
      // One damaged row must not hide all the others.
      this.#logger.warn({ ids: [document._id] }, 'history rows cannot be read');
      return [];
    });
  }

  async #call<T>(run: () => Promise<T>): Promise<T> {
    if (this.#stopping.signal.aborted) {
      throw new CronmeshError('store-unavailable', 'the history store is stopped');
    }
    const calling = this.#prepare().then(run);
    this.#underWay.add(calling);
    try {
      return await calling;
    } catch (error) {
      throw storeErrorOf(error);
    } finally {
      this.#underWay.delete(calling);
    }
  }

  #prepare(): Promise<void> {
    this.#prepared ??= this.#checkVersion().then(
      () => {
        // Not waited for: on a big collection a new index takes its time, and history goes on.
        this.#indexing ??= this.#index();
      },
      (error: unknown) => {
        this.#prepared = undefined;
        throw error;
      },
    );
    return this.#prepared;
  }

  async #checkVersion(): Promise<void> {
    // By itself, the driver does not come back from a first connection that failed.
    await this.#client.connect();
    const meta = this.#db.collection<RowDocument>('meta');
    const _id = 'schema';
    const readSchema = (): Promise<RowDocument | null> =>
      meta.findOne({ _id }, { readPreference: 'primary' });
    const known = await readSchema();
    if (known === null) {
      try {
        await meta.insertOne({ _id, schemaVersion });
        return;
      } catch (error) {
        if (!isDuplicateKey(error)) throw error;
      }
    }
    const version: unknown = (known ?? (await readSchema()))?.['schemaVersion'];
    if (typeof version === 'number' && version <= schemaVersion) return;
    throw new CronmeshError(
      'store-unavailable',
      `the history database ${this.#db.databaseName} was written by a newer cronmesh (schema ` +
        `version ${String(version)}, this one knows up to ${schemaVersion}): run that version, ` +
        `or name another database`,
    );
  }

  async #index(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        await createIndexes(this.#rows);
        return;
      } catch (error) {
        if (signal.aborted) return;
        this.#logger.warn({ err: storeErrorOf(error) }, 'history indexes could not be made yet');
      }
      await sleep(this.#clock, indexRetryMs, signal).catch(() => undefined);
    }
  }
}

function slicesOf<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size),
  );
}
