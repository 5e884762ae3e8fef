/**
 * How late fires start while somebody puts thousands of definitions within seconds, by hand: every worker
 * reads each, and the fleet adopts all of them; against the same fires just before.
 */
import { quantile, type Figure } from './figures.ts';
import { startFleet, untilWall, type NoSpawnFleet } from './no-spawn-fleet.ts';

const changeCount = 10_000;
const changeSeconds = 4;
const fireCount = 40;
const workerCount = 3;
/** A fire that was never started is as late as the tick after which it is given up. */
const givenUpMs = 3_000;

export async function benchMassChange(): Promise<Figure[]> {
  const fleet = await startFleet({
    processes: Array.from({ length: workerCount }, (_, i) => [{ id: `w${i}`, slots: 200 }]),
    jobs: Array.from({ length: fireCount }, (_, i) => ({
      name: `steady-${i}`,
      command: ':',
      cronExpr: '* * * * * *',
    })),
  });
  try {
    // The first seconds warm up.
    await lateness(fleet, 3, Promise.resolve());
    const before = await lateness(fleet, changeSeconds + 1, Promise.resolve());
    const during = await lateness(fleet, changeSeconds + 1, putAll(fleet));
    return [0.5, 0.99].map((q) => ({
      figure: `start lateness p${q * 100} while ${changeCount.toLocaleString('en-US')} definitions are put within ${changeSeconds} s, ${workerCount} workers`,
      unit: 'ms',
      ours: [quantile(during, q)],
      baseline: 'before that',
      base: [quantile(before, q)],
      better: 'less' as const,
      ...(q === 0.99 ? { goals: [{ of: 'ours', is: '<=', value: 1_000 } as const] } : {}),
      note: `${during.filter((ms) => ms < 1_000).length} of ${during.length} fires started within a second`,
    }));
  } finally {
    await fleet.stop();
  }
}

/** Of all fires that fall due in the next `seconds`. */
async function lateness(
  fleet: NoSpawnFleet,
  seconds: number,
  change: Promise<void>,
): Promise<number[]> {
  const first = Math.ceil((Date.now() + 1) / 1_000) * 1_000;
  const last = first + (seconds - 1) * 1_000;
  await untilWall(last + givenUpMs);
  await change;
  const { starts } = await fleet.taken();
  const late = starts
    .filter(({ job, tick }) => job.startsWith('steady-') && tick >= first && tick <= last)
    .map(({ startedAt, tick }) => startedAt - tick);
  const missing = Array.from({ length: fireCount * seconds - late.length }, () => givenUpMs);
  return [...late, ...missing];
}

async function putAll(fleet: NoSpawnFleet): Promise<void> {
  const atOnce = 100;
  const beganAt = Date.now();
  for (let from = 0; from < changeCount; from += atOnce) {
    await untilWall(beganAt + (changeSeconds * 1_000 * from) / changeCount);
    await fleet.putJobs(
      Array.from({ length: atOnce }, (_, i) => ({
        name: `changed-${from + i}`,
        command: 'true',
        cronExpr: '0 0 1 1 *',
      })),
    );
  }
}
