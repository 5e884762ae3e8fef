/**
 * Many shell jobs due in one and the same second on three workers: until all have started; against the
 * time that a plain Node process needs to spawn as many.
 */
import { startMesh } from '../support/mesh.ts';
import type { Figure } from './figures.ts';
import { rawSpawns } from './raw-spawn.ts';
import { allEnded, putDueJobs } from './shell-fires.ts';

const workers = ['w1', 'w2', 'w3'];
const slots = 16;
const rawSample = 300;

export async function benchShellSurge(fireCount: number): Promise<Figure[]> {
  const mesh = await startMesh();
  try {
    await mesh.startWorkers(workers, { slots });
    const before = await rawSpawns(':', rawSample, slots);
    await putDueJobs(mesh, 'surge', fireCount, ':');
    await allEnded(mesh, 'surge', fireCount);
    const after = await rawSpawns(':', rawSample, slots);
    // Their history is in the store when they have stopped.
    await Promise.all([...mesh.workers.values()].map((worker) => worker.stop(60_000)));
    const rows = await mesh.rows();
    if (rows.length !== fireCount) throw new Error(`${rows.length} runs are in history`);
    return [
      {
        figure: `${fireCount.toLocaleString('en-US')} shell jobs due in one second, 3 workers: all started`,
        unit: 'ms',
        ours: [
          rows.reduce((most, { startedAt, tick }) => Math.max(most, (startedAt ?? 0) - tick), 0),
        ],
        baseline: 'as many raw spawns in Node',
        base: [(fireCount / ((before + after) / 2)) * 1_000],
        better: 'less',
        goals: [{ of: 'ratio', is: '<=', value: 1.1 }],
      },
    ];
  } finally {
    await mesh.stop();
  }
}
