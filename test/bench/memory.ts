/**
 * Memory of one whole worker over many runs, when a tenth of them is done and when all are: of a worker
 * whose runs are shells, with its guardian and its spawner, and of one whose runs start nothing. Heaps
 * grow to their size within some thousand runs, so the goal is for that many and more.
 */
import { findSpawner, readMemoryMib, theGuardian } from '../support/executor-rig.ts';
import { startMesh } from '../support/mesh.ts';
import type { Figure } from './figures.ts';
import { startFleet, untilWall } from './no-spawn-fleet.ts';
import { allEnded, putDueJobs } from './shell-fires.ts';

const shellSlots = 16;
const goalFromRuns = 20_000;
/** Every second; more than one worker is sure to do on a busy machine would end as missed. */
const noSpawnJobs = 1_000;

export async function benchMemory(shellRuns: number, noSpawnRuns: number): Promise<Figure[]> {
  return [...(await ofShells(shellRuns)), ...(await ofNoSpawn(noSpawnRuns))];
}

async function ofShells(runs: number): Promise<Figure[]> {
  const mesh = await startMesh();
  try {
    const worker = mesh.startWorker('w1', { slots: shellSlots });
    await mesh.ready(['w1']);
    const guardian = theGuardian(worker.pid);
    const tenth = Math.ceil(runs / 10);
    const memory: Record<string, [number, number]> = {};
    const measure = (at: 0 | 1): void => {
      const pids = { worker: worker.pid, guardian, spawner: findSpawner(guardian) };
      for (const [name, pid] of Object.entries(pids)) {
        if (pid !== undefined) (memory[name] ??= [0, 0])[at] = readMemoryMib(pid, 'VmRSS');
      }
    };
    for (let batch = 0; batch < 10; batch++) {
      // The same names again would be other jobs of theirs.
      await putDueJobs(mesh, `memory-${batch}`, tenth, ':');
      await allEnded(mesh, `memory-${batch}`, tenth);
      for (let i = 0; i < tenth; i++) await mesh.deleteKey(mesh.keys.job(`memory-${batch}-${i}`));
      if (batch === 0) measure(0);
    }
    measure(1);
    return Object.entries(memory).map(([name, [early, late]]) =>
      figureOf(`${name} after ${amount(runs)} shell runs`, runs, early, late),
    );
  } finally {
    await mesh.stop();
  }
}

async function ofNoSpawn(runs: number): Promise<Figure[]> {
  const fleet = await startFleet({
    processes: [[{ id: 'w0', slots: 2_000 }]],
    jobs: Array.from({ length: noSpawnJobs }, (_, i) => ({
      name: `memory-${i}`,
      command: ':',
      cronExpr: '* * * * * *',
    })),
  });
  try {
    let [done, early] = [0, 0];
    while (done < runs) {
      await untilWall(Date.now() + 500);
      done += (await fleet.taken()).starts.length;
      if (early === 0 && done >= runs / 10) early = readMemoryMib(fleet.pidOf('w0'), 'VmRSS');
    }
    const late = readMemoryMib(fleet.pidOf('w0'), 'VmRSS');
    return [figureOf(`worker after ${amount(runs)} runs that start nothing`, runs, early, late)];
  } finally {
    await fleet.stop();
  }
}

function figureOf(what: string, runs: number, early: number, late: number): Figure {
  return {
    figure: `memory of the ${what}`,
    unit: 'MiB',
    ours: [late],
    baseline: 'after a tenth of them',
    base: [early],
    better: 'less',
    ...(runs < goalFromRuns ? {} : { goals: [{ of: 'ratio', is: '<=', value: 1.1 } as const] }),
  };
}

function amount(runs: number): string {
  return runs.toLocaleString('en-US');
}
