/**
 * 10,000 fires due in one and the same second on three workers that start no process: how long until
 * all have started; against one process that does nothing but claim as many, ready made, through the
 * same batcher.
 */
import { claimCeiling } from './claims.ts';
import { noCounts, type Counts } from './counted-etcd.ts';
import { median, type Figure } from './figures.ts';
import { startFleet, untilWall, type NoSpawnFleet } from './no-spawn-fleet.ts';
import type { WorkerStart } from './no-spawn-messages.ts';

const fireCount = 10_000;
const rounds = 2;
const everySeconds = 15;
const workerCount = 3;
const slots = 2_000;

export async function benchSurge(): Promise<Figure[]> {
  const fleet = await startFleet({
    processes: Array.from({ length: workerCount }, (_, i) => [{ id: `w${i}`, slots }]),
    jobs: Array.from({ length: fireCount }, (_, i) => ({
      name: `surge-${i}`,
      command: ':',
      cronExpr: `*/${everySeconds} * * * * *`,
      startDeadlineSeconds: 60,
    })),
  });
  try {
    const all: Round[] = [];
    const base: number[] = [];
    for (let round = 0; round <= rounds; round++) {
      const one = await roundOf(fleet);
      const ceilingMs = await claimCeiling(fleet.etcd, fireCount);
      // The first round warms up.
      if (round === 0) continue;
      all.push(one);
      base.push(ceilingMs);
    }
    const perFire = (of: (counts: Counts) => number): string =>
      median(all.map(({ counts, starts }) => of(counts) / starts.length)).toFixed(3);
    return [
      {
        figure: `${fireCount.toLocaleString('en-US')} fires due in one second, 3 workers, no-spawn: all started`,
        unit: 'ms',
        ours: all.map(lastStartMs),
        baseline: 'one process that only claims them',
        base,
        better: 'less',
        goals: [{ of: 'ours', is: '<=', value: 2_500 }],
        note:
          `a fire took ${perFire(({ claims }) => claims)} claims, ${perFire(({ requests }) => requests)} ` +
          `requests and ${perFire(({ cpuMs }) => cpuMs)} ms of the workers' processor time, its completion included`,
      },
    ];
  } finally {
    await fleet.stop();
  }
}

async function roundOf(fleet: NoSpawnFleet): Promise<Round> {
  const everyMs = everySeconds * 1_000;
  const tick = Math.ceil((Date.now() + 500) / everyMs) * everyMs;
  await untilWall(tick - 300);
  await fleet.taken();
  await untilWall(tick + 1_000);
  const starts: WorkerStart[] = [];
  const counts = noCounts();
  // Until it is quiet, so that completions are counted too.
  for (let isQuiet = false; starts.length < fireCount || !isQuiet;) {
    if (Date.now() > tick + everyMs - 500) break;
    await untilWall(Date.now() + 500);
    const taken = await fleet.taken();
    isQuiet = taken.starts.length === 0 && taken.counts.requests < 10;
    starts.push(...taken.starts);
    counts.claims += taken.counts.claims;
    counts.requests += taken.counts.requests;
    counts.cpuMs += taken.counts.cpuMs;
  }
  const ofTick = starts.filter((start) => start.tick === tick);
  if (new Set(ofTick.map(({ job }) => job)).size < ofTick.length) {
    throw new Error('fires were started twice');
  }
  return { starts: ofTick, counts };
}

interface Round {
  readonly starts: readonly WorkerStart[];
  readonly counts: Counts;
}

/** ms until the last of all was started; without end when not all were before the next tick. */
function lastStartMs({ starts }: Round): number {
  if (starts.length < fireCount) return Infinity;
  return starts.reduce((most, { startedAt, tick }) => Math.max(most, startedAt - tick), 0);
}
