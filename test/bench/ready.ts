/**
 * How long a worker process needs from its start until it is registered and ready, and its memory
 * then, with 10,000 jobs in etcd; against a worker with none in the same run.
 */
import { readFileSync } from 'node:fs';
import { startMesh, type TestMesh } from '../support/mesh.ts';
import { waitFor } from '../support/server-process.ts';
import type { Figure } from './figures.ts';

const jobCount = 10_000;
const rounds = 3;

export async function benchReady(): Promise<Figure[]> {
  const empty = await startMesh();
  const full = await startMesh();
  try {
    await fill(full);
    const [ms, baseMs]: [number[], number[]] = [[], []];
    const [rss, baseRss]: [number[], number[]] = [[], []];
    for (let round = 0; round <= rounds; round++) {
      const fullNow = await start(full, `full-${round}`, jobCount);
      const emptyNow = await start(empty, `empty-${round}`, 0);
      // The first start adopts every job; it is the ordinary one that is measured.
      if (round === 0) continue;
      ms.push(fullNow.ms);
      rss.push(fullNow.rssMiB);
      baseMs.push(emptyNow.ms);
      baseRss.push(emptyNow.rssMiB);
    }
    const baseline = 'a worker without jobs';
    return [
      {
        figure: 'worker ready, 10,000 jobs',
        unit: 'ms',
        ours: ms,
        baseline,
        base: baseMs,
        better: 'less',
      },
      {
        figure: 'worker RSS, 10,000 jobs',
        unit: 'MiB',
        ours: rss,
        baseline,
        base: baseRss,
        better: 'less',
      },
    ];
  } finally {
    await empty.stop();
    await full.stop();
  }
}

async function fill(mesh: TestMesh): Promise<void> {
  for (let i = 0; i < jobCount; i += 100) {
    await mesh.etcd.txn({
      compare: [],
      success: Array.from({ length: 100 }, (_, offset) => {
        const name = `job-${i + offset}`;
        const minute = (i + offset) % 60;
        const hour = (i + offset) % 24;
        const job = { name, command: 'true', cronExpr: `${minute} ${hour} 1 1 *` };
        return { put: { key: mesh.keys.job(name), value: JSON.stringify(job) } };
      }),
      failure: [],
    });
  }
}

async function start(
  mesh: TestMesh,
  id: string,
  cursors: number,
): Promise<{ ms: number; rssMiB: number }> {
  const began = performance.now();
  const worker = mesh.startWorker(id);
  await mesh.ready([id]);
  const ms = performance.now() - began;
  await waitFor(async () => (await mesh.list('cursor/')).length >= cursors, {
    timeoutMs: 120_000,
    intervalMs: 200,
    describe: () => `${cursors} cursors`,
  });
  const status = readFileSync(`/proc/${worker.pid}/status`, 'utf8');
  const rssMiB = Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1_024;
  await worker.stop();
  return { ms, rssMiB };
}
