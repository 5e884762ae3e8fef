/**
 * Lines of output a second from a worker's spool into MongoDB, and of the store alone; against raw
 * insertMany of documents of the same content, 500 at a time, one call after the other.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { MongoClient } from 'mongodb';
import { systemClock } from '../../shared/clock.ts';
import { openHistory } from '../../shared/history/open-history.ts';
import type { HistoryStore } from '../../shared/history/port.ts';
import type { HistoryRecord } from '../../shared/history/records.ts';
import { createLogger } from '../../shared/log.ts';
import { openSpool } from '../../worker/spool/spool.ts';
import { startMongo, type MongoServer } from '../support/mongo-server.ts';
import type { Figure } from './figures.ts';

const lineCount = 20_000;
const rawBatchSize = 500;
/** As the drain of a spool sends them. */
const batchSize = 2_000;
const runLines = 100;
/** Runs that write at the same time, each of them its next line once the last one is on disk. */
const writers = 500;
const rounds = 3;
const line = Buffer.from(`${'x'.repeat(99)}\n`);
const logger = createLogger('bench', 'silent');

export async function benchHistory(): Promise<Figure[]> {
  const server = await startMongo({ replicaSet: true });
  const folder = mkdtempSync(path.join(tmpdir(), 'cronmesh-bench-'));
  const store = openHistory(server.databaseUrl('bench'), { clock: systemClock, logger });
  try {
    await store.start();
    await store.ping();
    const [spooled, alone, raw]: [number[], number[], number[]] = [[], [], []];
    for (let round = 0; round <= rounds; round++) {
      const rates = [
        await spoolRound(store, path.join(folder, String(round)), records(`spool-${round}`)),
        await storeRound(store, records(`store-${round}`)),
        await rawRound(server, records(`raw-${round}`)),
      ] as const;
      // The first round warms up.
      if (round === 0) continue;
      spooled.push(rates[0]);
      alone.push(rates[1]);
      raw.push(rates[2]);
    }
    const shared = {
      unit: 'lines/s',
      baseline: 'raw insertMany',
      base: raw,
      better: 'more',
      goals: [{ of: 'ratio', is: '>=', value: 0.7 }],
    } as const;
    return [
      { figure: 'history into MongoDB, through a spool on disk', ours: spooled, ...shared },
      { figure: 'history into MongoDB, the store alone', ours: alone, ...shared },
    ];
  } finally {
    await store.stop();
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

type OutputRecord = HistoryRecord & { kind: 'output' };

function records(label: string): OutputRecord[] {
  return Array.from({ length: lineCount }, (_, i) => ({
    kind: 'output',
    runId: `${label}-${Math.floor(i / runLines)}`,
    job: 'bench',
    stream: 'stdout',
    offset: (i % runLines) * line.length,
    at: Date.now(),
    data: line,
  }));
}

async function spoolRound(
  store: HistoryStore,
  directory: string,
  lines: readonly OutputRecord[],
): Promise<number> {
  const spool = openSpool({ directory, store, clock: systemClock, random: Math.random, logger });
  await spool.start();
  const began = performance.now();
  const waiting = lines.values();
  const write = async (): Promise<void> => {
    for (const record of waiting) await spool.append([record]);
  };
  await Promise.all(Array.from({ length: writers }, write));
  await spool.drained(AbortSignal.timeout(120_000));
  const rate = lineCount / ((performance.now() - began) / 1_000);
  await spool.stop();
  return rate;
}

async function storeRound(store: HistoryStore, lines: readonly OutputRecord[]): Promise<number> {
  const began = performance.now();
  for (let i = 0; i < lines.length; i += batchSize) {
    await store.ingest(lines.slice(i, i + batchSize));
  }
  return lineCount / ((performance.now() - began) / 1_000);
}

async function rawRound(server: MongoServer, lines: readonly OutputRecord[]): Promise<number> {
  const client = new MongoClient(server.databaseUrl('raw'));
  try {
    const collection = client
      .db()
      .collection<{ _id: string }>('output', { writeConcern: { w: 'majority', journal: true } });
    await collection.insertOne({ _id: 'first' });
    const began = performance.now();
    for (let i = 0; i < lines.length; i += rawBatchSize) {
      const documents = lines
        .slice(i, i + rawBatchSize)
        .map(({ runId, offset, data, at, ...rest }) => ({
          _id: `${runId}/${offset}`,
          runId,
          offset,
          at: new Date(at),
          data,
          ...rest,
        }));
      await collection.insertMany(documents);
    }
    return lineCount / ((performance.now() - began) / 1_000);
  } finally {
    await client.close();
  }
}
