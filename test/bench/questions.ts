/**
 * What history is asked, in both stores, at so many rows; against the same questions at a tenth of them,
 * which is a tenth of the time at the same density: an answer from an index takes no longer. MongoDB
 * says itself how it found each answer, and a scan of a collection ends the bench; SQLite's queries
 * name their indexes, and fail without.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { MongoClient } from 'mongodb';
import { z } from 'zod';
import { systemClock } from '../../shared/clock.ts';
import { openHistory } from '../../shared/history/open-history.ts';
import type { HistoryStore } from '../../shared/history/port.ts';
import type { HistoryRecord } from '../../shared/history/records.ts';
import { createLogger } from '../../shared/log.ts';
import { startMongo } from '../support/mongo-server.ts';
import type { Figure } from './figures.ts';

const jobCount = 1_000;
const groupCount = 50;
const workerCount = 20;
const dayMs = 86_400_000;
const rowsPerDay = 100_000;
const newest = Date.UTC(2026, 0, 1);
const batchSize = 2_000;
const rounds = 5;
const logger = createLogger('bench', 'silent');

interface Question {
  readonly name: string;
  readonly goalMs: number;
  readonly ask: (store: HistoryStore) => Promise<unknown>;
}

const fifty = Array.from({ length: 50 }, (_, n) => jobName(n * 20));
const lastDay = { from: newest - dayMs, to: newest };
const listed = (name: string, query: object): Question => ({
  name: `50 runs ${name}`,
  goalMs: 100,
  ask: (store) => store.listRuns({ limit: 50, ...query }),
});
const questions: readonly Question[] = [
  { name: 'last 30 runs of 50 jobs', goalMs: 300, ask: (store) => store.lastRuns(fifty, 30) },
  listed('of all', {}),
  listed('of a job', { jobs: [jobName(7)] }),
  listed('of a group', { groups: ['group-7'] }),
  listed('of a worker', { workers: ['worker-7'] }),
  listed('that failed', { outcomes: ['failed'] }),
  listed('of a job that failed', { jobs: [jobName(7)], outcomes: ['failed'] }),
  listed('of a group that were lost', { groups: ['group-7'], outcomes: ['lost'] }),
  listed('of one hour', { from: newest - dayMs / 2, to: newest - dayMs / 2 + dayMs / 24 }),
  {
    name: 'outcomes of every job in a day',
    goalMs: 1_000,
    ask: (store) => store.countByJob(lastDay),
  },
  {
    name: 'outcomes of a job, day by day',
    goalMs: 100,
    ask: (store) => store.countByDay({ ...lastDay, from: newest - 5 * dayMs, jobs: [jobName(7)] }),
  },
  {
    name: 'durations of 50 jobs, 100 runs each',
    goalMs: 500,
    ask: (store) => store.durations({ jobs: fifty, runs: 100 }),
  },
];

export async function benchQuestions(rows: number): Promise<Figure[]> {
  const folder = mkdtempSync(path.join(tmpdir(), 'cronmesh-bench-'));
  const server = await startMongo({ replicaSet: true });
  try {
    const sqlite = (name: string): string => `sqlite:${path.join(folder, `${name}.db`)}`;
    const big = server.databaseUrl('big');
    return [
      ...(await benchStore('SQLite', rows, sqlite('big'), sqlite('small'))),
      ...(await benchStore('MongoDB', rows, big, server.databaseUrl('small'), big)),
    ];
  } finally {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** `profiled`: the database of MongoDB whose plans are looked at. */
async function benchStore(
  name: string,
  rows: number,
  bigUrl: string,
  smallUrl: string,
  profiled?: string,
): Promise<Figure[]> {
  const deps = { clock: systemClock, logger };
  const [big, small] = [openHistory(bigUrl, deps), openHistory(smallUrl, deps)];
  try {
    await seed(small, rows / 10);
    await seed(big, rows);
    if (profiled !== undefined) await checkPlans(profiled, big);
    const figures: Figure[] = [];
    for (const { name: question, goalMs, ask } of questions) {
      const [ours, base]: [number[], number[]] = [[], []];
      for (let round = 0; round <= rounds; round++) {
        const took = [await timed(() => ask(big)), await timed(() => ask(small))] as const;
        // The first round warms up.
        if (round === 0) continue;
        ours.push(took[0]);
        base.push(took[1]);
      }
      figures.push({
        figure: `${name}, ${rows.toLocaleString('en-US')} rows: ${question}`,
        unit: 'ms',
        ours,
        baseline: 'a tenth of the rows',
        base,
        better: 'less',
        goals: [{ of: 'ours', is: '<=', value: goalMs }],
      });
    }
    return figures;
  } finally {
    await Promise.all([big.stop(), small.stop()]);
  }
}

async function timed(ask: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await ask();
  return performance.now() - begun;
}

async function seed(store: HistoryStore, rows: number): Promise<void> {
  for (let first = 0; first < rows; first += batchSize) {
    const count = Math.min(batchSize, rows - first);
    await store.ingest(Array.from({ length: count }, (_, n) => rowOf(first + n)));
  }
}

/** Row `n` counted from the newest. */
function rowOf(n: number): HistoryRecord {
  const job = (n * 7) % jobCount;
  const tick = newest - 1 - Math.floor((n * dayMs) / rowsPerDay);
  const outcomes = ['failed', 'timed-out', 'lost', 'killed'] as const;
  const turn = Math.floor(n / jobCount);
  const startedAt = tick + 15;
  return {
    kind: 'run-ended',
    run: {
      runId: `${String(tick).padStart(15, '0')}-${n}`,
      job: jobName(job),
      group: `group-${job % groupCount}`,
      cause: 'tick',
      tick,
      fireId: `t${tick}`,
      attempt: 1,
      worker: `worker-${n % workerCount}`,
      fence: 1_000_000_000 - n,
      command: '/usr/local/bin/report --all --quiet',
    },
    end: {
      // One run of twenty, of every job.
      outcome: (n + turn) % 20 === 0 ? (outcomes[turn % outcomes.length] ?? 'lost') : 'succeeded',
      startedAt,
      endedAt: startedAt + 100 + ((n * 7_919) % 5_000),
      exitCode: 0,
      outputBytes: 0,
      outputTruncated: false,
    },
  };
}

function jobName(n: number): string {
  return `job-${String(n).padStart(4, '0')}`;
}

const profileSchema = z.object({ planSummary: z.string().optional() });

/** Throws when an answer was found without an index. */
async function checkPlans(url: string, store: HistoryStore): Promise<void> {
  const client = new MongoClient(url);
  try {
    const db = client.db();
    await db.command({ profile: 2 });
    for (const { ask } of questions) await ask(store);
    await db.command({ profile: 0 });
    const ns = `${db.databaseName}.rows`;
    const entries = await db.collection('system.profile').find({ ns }).toArray();
    const plans = entries.map((entry) => profileSchema.parse(entry).planSummary ?? '');
    const scan = plans.find((plan) => plan.includes('COLLSCAN'));
    if (scan !== undefined) throw new Error(`an answer was found by ${scan}`);
    if (plans.length < questions.length) throw new Error('the server kept no profile');
  } finally {
    await client.close();
  }
}
