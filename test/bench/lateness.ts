/**
 * How late 500 fires that are due in one and the same second start on five workers that start no
 * process, against how late an idle timer is in the same processes; and how the fires are spread.
 */
import { balanceOf } from './balance.ts';
import { quantile, type Figure } from './figures.ts';
import { startFleet, untilWall } from './no-spawn-fleet.ts';
import type { WorkerStart } from './no-spawn-messages.ts';

const fireCount = 500;
const slots = [1_000, 1_000, 2_000, 2_000, 2_000];
const rounds = 5;
const everyMs = 3_000;

export async function benchLateness(): Promise<Figure[]> {
  const fleet = await startFleet({
    processes: slots.map((count, i) => [{ id: `w${i}`, slots: count }]),
    jobs: Array.from({ length: fireCount }, (_, i) => ({
      name: `late-${i}`,
      command: ':',
      cronExpr: `*/${everyMs / 1_000} * * * * *`,
    })),
  });
  try {
    const late: number[][] = [];
    const idle: number[][] = [];
    const all: WorkerStart[] = [];
    for (let round = 0; round <= rounds; round++) {
      await fleet.taken();
      const tick = Math.ceil((Date.now() + 100) / everyMs) * everyMs;
      await untilWall(tick + 1_200);
      const { starts } = await fleet.taken();
      const timers = await fleet.timerLateness(20, 50);
      // The first round warms up.
      if (round === 0) continue;
      const ofTick = starts.filter((start) => start.tick === tick);
      all.push(...ofTick);
      const missing = Array.from({ length: fireCount - ofTick.length }, () => 1_200);
      late.push([...ofTick.map(({ startedAt }) => startedAt - tick), ...missing]);
      idle.push(timers);
    }
    const figures = [0.5, 0.99].map((q) => ({
      figure: `start lateness p${q * 100}, ${fireCount} no-spawn fires in one second, ${slots.length} workers`,
      unit: 'ms',
      ours: late.map((round) => quantile(round, q)),
      baseline: 'an idle timer there',
      base: idle.map((round) => quantile(round, q)),
      better: 'less' as const,
      ...(q === 0.99 ? { goals: [{ of: 'difference', is: '<=', value: 50 } as const] } : {}),
    }));
    return [...figures, balanceOf(all, slots)];
  } finally {
    await fleet.stop();
  }
}
