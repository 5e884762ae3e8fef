/**
 * Shell runs a second: of one executor with its guardian, and of one whole worker (claimed, run,
 * spooled and completed), against a plain Node process that spawns the same command as many at a time.
 */
import { startMesh, type TestMesh } from '../support/mesh.ts';
import { runOn, startExecutor } from '../support/executor-rig.ts';
import type { Figure } from './figures.ts';
import { inLanes, rawSpawns } from './raw-spawn.ts';
import { allEnded, putDueJobs } from './shell-fires.ts';

const command = ':';
const slots = 16;
const executorRuns = 200;
const workerRuns = 400;
const rounds = 3;
const goals = [{ of: 'ratio', is: '>=', value: 0.9 }] as const;

export async function benchShells(): Promise<Figure[]> {
  const executor = await startExecutor(slots);
  const mesh = await startMesh();
  try {
    await mesh.startWorkers(['w1'], { slots });
    const [alone, aloneRaw]: [number[], number[]] = [[], []];
    const [whole, wholeRaw]: [number[], number[]] = [[], []];
    await inLanes(slots, 50, () => runOn(executor, command).result);
    for (let round = 0; round < rounds; round++) {
      alone.push(await inLanes(slots, executorRuns, () => runOn(executor, command).result));
      aloneRaw.push(await rawSpawns(command, executorRuns, slots));
      whole.push(await workerRound(mesh, round));
      wholeRaw.push(await rawSpawns(command, workerRuns, slots));
    }
    const shared = {
      unit: 'runs/s',
      baseline: 'raw spawn in Node',
      better: 'more',
      goals,
    } as const;
    return [
      { figure: 'shell runs, one executor', ours: alone, base: aloneRaw, ...shared },
      {
        figure: `shell runs, one whole worker, ${workerRuns} due at once`,
        ours: whole,
        base: wholeRaw,
        ...shared,
      },
    ];
  } finally {
    await executor.stop();
    await mesh.stop();
  }
}

async function workerRound(mesh: TestMesh, round: number): Promise<number> {
  const dueMs = await putDueJobs(mesh, `shell-${round}`, workerRuns, command);
  await allEnded(mesh, `shell-${round}`, workerRuns);
  return workerRuns / ((Date.now() - dueMs) / 1_000);
}
