/**
 * How late 500 fires that are due in one and the same second start on five workers that start no
 * process; against how late an idle timer is in the same processes.
 */
import { quantile, type Figure } from './figures.ts';
import { startFleet, untilWall } from './no-spawn-fleet.ts';

const fireCount = 500;
const workerCount = 5;
const rounds = 5;
const everyMs = 3_000;

export async function benchLateness(): Promise<Figure[]> {
  const fleet = await startFleet({
    processes: Array.from({ length: workerCount }, (_, i) => [{ id: `w${i}`, slots: 1_000 }]),
    jobs: Array.from({ length: fireCount }, (_, i) => ({
      name: `late-${i}`,
      command: ':',
      cronExpr: `*/${everyMs / 1_000} * * * * *`,
    })),
  });
  try {
    const late: number[][] = [];
    const idle: number[][] = [];
    for (let round = 0; round <= rounds; round++) {
      await fleet.taken();
      const tick = Math.ceil((Date.now() + 100) / everyMs) * everyMs;
      await untilWall(tick + 1_200);
      const { starts } = await fleet.taken();
      const timers = await fleet.timerLateness(20, 50);
      // The first round warms up.
      if (round === 0) continue;
      const ofTick = starts.filter((start) => start.tick === tick);
      const missing = Array.from({ length: fireCount - ofTick.length }, () => 1_200);
      late.push([...ofTick.map(({ startedAt }) => startedAt - tick), ...missing]);
      idle.push(timers);
    }
    return [0.5, 0.99].map((q) => ({
      figure: `start lateness p${q * 100}, ${fireCount} no-spawn fires in one second, ${workerCount} workers`,
      unit: 'ms',
      ours: late.map((round) => quantile(round, q)),
      baseline: 'an idle timer there',
      base: idle.map((round) => quantile(round, q)),
      better: 'less' as const,
      ...(q === 0.99 ? { goals: [{ of: 'difference', is: '<=', value: 50 } as const] } : {}),
    }));
  } finally {
    await fleet.stop();
  }
}
