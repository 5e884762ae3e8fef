/**
 * How late the event loop of a worker is while it runs 300 shell jobs every second, as its own metrics
 * tell; against the same worker before it has any job.
 */
import { startMesh } from '../support/mesh.ts';
import { freePort } from '../support/server-process.ts';
import type { Figure } from './figures.ts';
import { untilWall } from './no-spawn-fleet.ts';
import { putJobs } from './shell-fires.ts';

const jobCount = 300;
const rounds = 3;
const roundMs = 4_000;
const metric = /^cronmesh_worker_event_loop_delay_p99_seconds (\S+)$/m;

export async function benchLoop(): Promise<Figure[]> {
  const mesh = await startMesh();
  try {
    const port = await freePort();
    const flags = ['--listen', `127.0.0.1:${port}`];
    const worker = mesh.startWorker('w1', { slots: 64, flags });
    await mesh.ready(['w1']);
    const [ours, base]: [number[], number[]] = [[], []];
    for (let round = 0; round < rounds; round++) base.push(await delayMs(port));
    await putJobs(mesh, 'loop', jobCount, { command: ':', cronExpr: '* * * * * *' });
    await untilWall(Date.now() + 3_000);
    const fromTick = Date.now();
    for (let round = 0; round < rounds; round++) ours.push(await delayMs(port));
    const seconds = (Date.now() - fromTick) / 1_000;
    const toTick = Date.now();
    await worker.stop(60_000);
    const rows = await mesh.rows();
    const runs = rows.filter(
      ({ startedAt }) => startedAt !== undefined && startedAt >= fromTick && startedAt < toTick,
    );
    return [
      {
        figure: `event-loop delay p99 of a worker, ${jobCount} shell jobs every second`,
        unit: 'ms',
        ours,
        baseline: 'the same worker idle',
        base,
        better: 'less',
        goals: [{ of: 'ours', is: '<=', value: 20 }],
        note: `it ran ${(runs.length / seconds).toFixed(0)} of them a second`,
      },
    ];
  } finally {
    await mesh.stop();
  }
}

/** Of the next seconds: asking begins a new measurement. */
async function delayMs(port: number): Promise<number> {
  const url = `http://127.0.0.1:${port}/metrics`;
  await (await fetch(url)).text();
  await untilWall(Date.now() + roundMs);
  const text = await (await fetch(url)).text();
  return Number(metric.exec(text)?.[1]) * 1_000;
}
