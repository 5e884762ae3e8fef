/**
 * What ten workers send to etcd for one fire, all of them together: claims, and entries of etcd's log
 * (whatever could change something: claims, completions, grants, revokes), beats taken out; against
 * ten naive racers on the same server.
 */
import type { Figure } from './figures.ts';
import { raceOnce } from './naive-race.ts';
import { startFleet, untilWall, type NoSpawnFleet } from './no-spawn-fleet.ts';

const jobCount = 50;
const workerCount = 10;
const perProcess = 5;
const rounds = 3;
const roundSeconds = 5;
const naiveFires = 50;

export async function benchRace(): Promise<Figure[]> {
  const workers = Array.from({ length: workerCount }, (_, i) => ({ id: `w${i}`, slots: 16 }));
  const fleet = await startFleet({
    processes: [workers.slice(0, perProcess), workers.slice(perProcess)],
    jobs: Array.from({ length: jobCount }, (_, i) => ({
      name: `race-${i}`,
      command: ':',
      cronExpr: '* * * * * *',
    })),
  });
  try {
    const [claims, writes, lost]: [number[], number[], number[]] = [[], [], []];
    const naive: number[] = [];
    // The first seconds warm up.
    await untilWall(Date.now() + 2_000);
    for (let round = 0; round < rounds; round++) {
      const one = await roundOf(fleet);
      claims.push(one.claims);
      lost.push(one.lost);
      writes.push(one.writes);
      naive.push(await naiveRound(fleet));
    }
    const baseline = 'naive lock race of 10';
    const shared = { unit: 'a fire', better: 'less', baseline, base: naive } as const;
    return [
      {
        figure: 'claims sent by 10 workers',
        ...shared,
        ours: claims,
        goals: [{ of: 'ours', is: '<=', value: 1.1 }],
        note: `claims lost, a fire: ${lost.map((value) => value.toFixed(3)).join(', ')}`,
      },
      {
        figure: "entries of etcd's log by 10 workers, claim and completion",
        ...shared,
        ours: writes,
        goals: [{ of: 'ours', is: '<=', value: 2.1 }],
      },
    ];
  } finally {
    await fleet.stop();
  }
}

/** Each a fire. */
async function roundOf(
  fleet: NoSpawnFleet,
): Promise<{ claims: number; lost: number; writes: number }> {
  // Between two ticks nothing is under way.
  await untilWall(Math.ceil(Date.now() / 1_000) * 1_000 + 900);
  await fleet.taken();
  const before = await fleet.proposals();
  await untilWall(Date.now() + roundSeconds * 1_000);
  const { starts, counts } = await fleet.taken();
  const after = await fleet.proposals();
  const fires = starts.length;
  if (fires === 0) throw new Error('nothing fired');
  return {
    claims: counts.claims / fires,
    lost: counts.lostClaims / fires,
    writes: (after - before) / fires,
  };
}

async function naiveRound(fleet: NoSpawnFleet): Promise<number> {
  const before = await fleet.proposals();
  for (let i = 0; i < naiveFires; i++) await raceOnce(fleet.etcd, '/naive/lock/job', workerCount);
  return ((await fleet.proposals()) - before) / naiveFires;
}
