/**
 * A worker is killed just before a tick: how late the fires start for which it came first; against
 * the fires of the same tick for which another one did.
 */
import { rankDelayMs } from '../../worker/schedule/rank.ts';
import { quantile, type Figure } from './figures.ts';
import { startFleet, untilWall } from './no-spawn-fleet.ts';

const fireCount = 200;
const everyMs = 4_000;
const ids = ['w0', 'w1', 'w2', 'w3', 'w4', 'w5'];
const killed = ['w0', 'w1', 'w2'];
const killedBeforeMs = 300;
const waitMs = 2_000;
const slots = 1_000;

export async function benchFailover(): Promise<Figure[]> {
  const fleet = await startFleet({
    processes: ids.map((id) => [{ id, slots }]),
    jobs: Array.from({ length: fireCount }, (_, i) => ({
      name: `over-${i}`,
      command: ':',
      cronExpr: `*/${everyMs / 1_000} * * * * *`,
    })),
  });
  const [ours, base]: [number[], number[]] = [[], []];
  try {
    for (const [round, victim] of killed.entries()) {
      const tick = Math.ceil((Date.now() + 1_000) / everyMs) * everyMs;
      await untilWall(tick - killedBeforeMs);
      await fleet.taken();
      fleet.kill(victim);
      await untilWall(tick + waitMs);
      const { starts } = await fleet.taken();
      const startedAt = new Map(
        starts.filter((start) => start.tick === tick).map((start) => [start.job, start.startedAt]),
      );
      const dead = new Set(killed.slice(0, round + 1));
      const [orphans, others]: [number[], number[]] = [[], []];
      for (let i = 0; i < fireCount; i++) {
        const job = `over-${i}`;
        const [first = '', second = ''] = orderFor(job, tick);
        const late = (startedAt.get(job) ?? Infinity) - tick;
        if (!dead.has(first)) others.push(late);
        else if (first === victim && !dead.has(second)) orphans.push(late);
      }
      ours.push(quantile(orphans, 0.99));
      base.push(quantile(others, 0.99));
    }
  } finally {
    await fleet.stop();
  }
  return [
    {
      figure: 'failover of a killed first-rank worker, same tick: start lateness p99',
      unit: 'ms',
      ours,
      baseline: 'fires of the living',
      base,
      better: 'less',
      // One stagger, and what a timer is late.
      goals: [{ of: 'difference', is: '<=', value: 250 }],
    },
  ];
}

/** Who tries first, and who next; all have the same free slots. */
function orderFor(job: string, tick: number): string[] {
  const candidates = ids.map((id) => ({ id, weight: slots }));
  return ids
    .map((id) => ({ id, delayMs: rankDelayMs(candidates, id, job, String(tick)) }))
    .toSorted((a, b) => a.delayMs - b.delayMs)
    .map(({ id }) => id);
}
