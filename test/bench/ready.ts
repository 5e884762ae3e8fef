/**
 * What many jobs cost a worker process: how long it needs from its start until it is registered and
 * ready, the longest time that it blocked its event loop until then, its memory, and its CPU time while
 * nothing is due; against a worker with no job in the same run. Each starts while the others are at
 * rest, and then all of them rest together.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { encodeCursor } from '../../shared/protocol/cursor.ts';
import { parseSchedule } from '../../shared/schedule/parse-schedule.ts';
import { startMesh, type TestMesh } from '../support/mesh.ts';
import { waitFor, type ServerProcess } from '../support/server-process.ts';
import type { Figure, Goal } from './figures.ts';
import { untilWall } from './no-spawn-fleet.ts';

const rounds = 3;
const settleMs = 4_000;
const idleMs = 5_000;
const fillingAtOnce = 8;
const preload = `NODE_OPTIONS=--import=${fileURLToPath(new URL('loop-watch.js', import.meta.url))}`;

interface Cost {
  readonly readyMs: number;
  readonly blockedMs: number;
  readonly rssMb: number;
  readonly idlePercent: number;
}

/** With 100,000 jobs. */
const goals: Readonly<Cost> = { readyMs: 5_000, blockedMs: 50, rssMb: 250, idlePercent: 1 };

const figures = [
  ['worker ready', 'ms', 'readyMs'],
  ['longest block of its loop by itself until then', 'ms', 'blockedMs'],
  ['its RSS', 'MB', 'rssMb'],
  ['its idle CPU', '% of a core', 'idlePercent'],
] as const;

export async function benchReady(): Promise<Figure[]> {
  const meshes: TestMesh[] = [];
  try {
    for (const jobs of [0, 10_000, 100_000]) {
      const mesh = await startMesh();
      meshes.push(mesh);
      await fill(mesh, jobs);
    }
    const costs: Cost[][] = meshes.map(() => []);
    for (let round = 0; round < rounds; round++) {
      const ofRound = await costsOf(meshes, `w${round}`);
      ofRound.forEach((cost, index) => costs[index]?.push(cost));
    }
    const [empty = [], some = [], many = []] = costs;
    return [
      ...figuresOf('10,000 jobs', some, empty),
      ...figuresOf('100,000 jobs', many, empty, goals),
    ];
  } finally {
    for (const mesh of meshes) await mesh.stop();
  }
}

function figuresOf(
  jobs: string,
  ours: readonly Cost[],
  base: readonly Cost[],
  most?: Readonly<Cost>,
): Figure[] {
  return figures.map(([what, unit, key]) => ({
    figure: `${what}, ${jobs}`,
    unit,
    ours: ours.map((cost) => cost[key]),
    baseline: 'a worker without jobs',
    base: base.map((cost) => cost[key]),
    better: 'less',
    ...(most === undefined ? {} : { goals: [atMost(most[key])] }),
  }));
}

function atMost(value: number): Goal {
  return { of: 'ours', is: '<=', value };
}

/** Definitions and their cursors, as a mesh has them that has been there for a while. */
async function fill(mesh: TestMesh, jobCount: number): Promise<void> {
  const tick = Date.now();
  const perTxn = 50;
  const inFlight = new Set<Promise<unknown>>();
  for (let i = 0; i < jobCount; i += perTxn) {
    const success = Array.from({ length: perTxn }, (_, offset) => {
      const number = i + offset;
      const name = `job-${number}`;
      const job = { name, command: 'true', cronExpr: `${number % 60} ${number % 24} 1 1 *` };
      const schedule = parseSchedule(job.cronExpr, 'UTC').canonical;
      return [
        { put: { key: mesh.keys.job(name), value: JSON.stringify(job) } },
        { put: { key: mesh.keys.cursor(name), value: encodeCursor({ tick, schedule }) } },
      ];
    });
    const filling = mesh.etcd
      .txn({ compare: [], success: success.flat(), failure: [] })
      .finally(() => inFlight.delete(filling));
    inFlight.add(filling);
    if (inFlight.size >= fillingAtOnce) await Promise.race(inFlight);
  }
  await Promise.all(inFlight);
}

async function costsOf(meshes: readonly TestMesh[], id: string): Promise<Cost[]> {
  const started = [];
  for (const mesh of meshes) started.push(await start(mesh, id));
  await untilWall(Date.now() + settleMs);
  const before = started.map(({ worker }) => cpuMs(worker.pid));
  const beforeMs = performance.now();
  await untilWall(Date.now() + idleMs);
  const costs = started.map(({ worker, readyMs, blockedMs }, index) => {
    const usedMs = cpuMs(worker.pid) - (before[index] ?? Number.NaN);
    const status = readFileSync(`/proc/${worker.pid}/status`, 'utf8');
    const rssMb = (Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) * 1_024) / 1e6;
    const idlePercent = (usedMs / (performance.now() - beforeMs)) * 100;
    return { readyMs, blockedMs, rssMb, idlePercent };
  });
  await Promise.all(started.map(({ worker }) => worker.stop()));
  return costs;
}

interface Started extends Pick<Cost, 'readyMs' | 'blockedMs'> {
  readonly worker: ServerProcess;
}

async function start(mesh: TestMesh, id: string): Promise<Started> {
  const began = performance.now();
  const worker = mesh.startWorker(id, { within: ['/usr/bin/env', preload] });
  await mesh.ready([id]);
  const readyMs = performance.now() - began;
  process.kill(worker.pid, 'SIGUSR2');
  const blockedMs = await waitFor(
    () => Promise.resolve(/loop blocked for (\S+) ms/.exec(worker.output)?.[1]),
    { timeoutMs: 10_000, describe: () => `an answer; ${worker.output.slice(-500)}` },
  );
  return { worker, readyMs, blockedMs: Number(blockedMs) };
}

/** User and system time; the kernel counts it in hundredths of a second. */
function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10;
}
