/**
 * How late 200 shell jobs that are due in one and the same second start on three workers, from the
 * tick to the moment the process was spawned; against one Node process that spawns the same 200
 * commands in a loop as fast as it can.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { startMesh, type TestMesh } from '../support/mesh.ts';
import { waitFor } from '../support/server-process.ts';
import { quantile, type Figure } from './figures.ts';

const jobCount = 200;
const rounds = 3;
const workers = ['w1', 'w2', 'w3'];

export async function benchLateness(): Promise<Figure[]> {
  const mesh = await startMesh();
  try {
    for (const id of workers) mesh.startWorker(id, { slots: 100 });
    await mesh.ready(workers);
    const late: number[][] = [];
    const raw: number[][] = [];
    for (let round = 0; round < rounds; round++) {
      late.push(await meshRound(mesh, round));
      raw.push(await rawRound());
    }
    const baseline = 'one Node process spawning them in a loop';
    return [0.5, 0.99].map((q) => ({
      figure: `start lateness p${q * 100}, ${jobCount} jobs in one second, 3 workers`,
      unit: 'ms',
      ours: late.map((round) => quantile(round, q)),
      baseline,
      base: raw.map((round) => quantile(round, q)),
      better: 'less' as const,
    }));
  } finally {
    await mesh.stop();
  }
}

async function meshRound(mesh: TestMesh, round: number): Promise<number[]> {
  const due = new Date(Math.ceil(Date.now() / 1_000) * 1_000 + 5_000);
  const cronExpr = `${due.getUTCSeconds()} ${due.getUTCMinutes()} ${due.getUTCHours()} ${due.getUTCDate()} ${due.getUTCMonth() + 1} * ${due.getUTCFullYear()}`;
  const names = Array.from({ length: jobCount }, (_, i) => `late-${round}-${i}`);
  await mesh.etcd.txn({
    compare: [],
    success: names.slice(0, 100).map((name) => putJob(mesh, name, cronExpr)),
    failure: [],
  });
  await mesh.etcd.txn({
    compare: [],
    success: names.slice(100).map((name) => putJob(mesh, name, cronExpr)),
    failure: [],
  });
  const rows = await waitFor(
    async () => {
      const ended = (await mesh.rows()).filter(
        ({ job, outcome }) => job.startsWith(`late-${round}-`) && outcome !== undefined,
      );
      return ended.length >= jobCount ? ended : undefined;
    },
    { timeoutMs: 60_000, intervalMs: 500, describe: () => `${jobCount} runs` },
  );
  return rows.map(({ startedAt, tick }) => (startedAt ?? Infinity) - tick);
}

function putJob(
  mesh: TestMesh,
  name: string,
  cronExpr: string,
): { put: { key: string; value: string } } {
  return {
    put: { key: mesh.keys.job(name), value: JSON.stringify({ name, command: ':', cronExpr }) },
  };
}

async function rawRound(): Promise<number[]> {
  const began = performance.now();
  const late: number[] = [];
  const ends: Promise<unknown>[] = [];
  for (let i = 0; i < jobCount; i++) {
    const child = spawn('/bin/sh', ['-c', ':'], {
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    late.push(performance.now() - began);
    ends.push(once(child, 'exit'));
  }
  await Promise.all(ends);
  return late;
}
