/**
 * How much faster than life the simulation is: fires that are simulated in a second, against the fires
 * of the same fleets in a second of their own time. In storms, where something breaks all the time, and
 * in ordinary operation; in one process.
 */
import { simulate, type SimOptions, type SimResult } from '../simulation/simulate.ts';
import type { Figure } from './figures.ts';

const rounds = 3;
const stormsOfRound = 25;
const hoursOfRound = 12;

export async function benchSimulation(): Promise<Figure[]> {
  // The first ones are spent on compiling.
  await runAll([{ seed: 1 }, { seed: 2, hours: 2 }]);
  const storms: Round[] = [];
  const operation: Round[] = [];
  for (let at = 0; at < rounds; at++) {
    const first = 1 + at * stormsOfRound;
    storms.push(
      await runAll(Array.from({ length: stormsOfRound }, (_, i) => ({ seed: first + i }))),
    );
    operation.push(await runAll([{ seed: at + 1, hours: hoursOfRound }]));
  }
  return [
    figureOf('simulated fires, storms', storms),
    figureOf('simulated fires, ordinary operation', operation),
  ];
}

interface Round {
  readonly firesPerSecond: number;
  readonly inTheirTime: number;
  readonly fleetHoursPerSecond: number;
  readonly workerHoursPerSecond: number;
}

async function runAll(all: readonly SimOptions[]): Promise<Round> {
  const began = performance.now();
  const results: SimResult[] = [];
  for (const options of all) results.push(await simulate(options));
  const seconds = (performance.now() - began) / 1_000;
  const broken = results.find(({ violations }) => violations.length > 0);
  if (broken !== undefined) throw new Error(`seed ${broken.seed} broke an invariant`);
  const sum = (of: (result: SimResult) => number): number =>
    results.reduce((total, result) => total + of(result), 0);
  const claims = sum((result) => result.claims);
  return {
    firesPerSecond: claims / seconds,
    inTheirTime: claims / (sum((result) => result.simulatedMs) / 1_000),
    fleetHoursPerSecond: sum((result) => result.fleetHours) / seconds,
    workerHoursPerSecond: sum((result) => result.workerHours) / seconds,
  };
}

function figureOf(figure: string, all: readonly Round[]): Figure {
  const best = (of: (one: Round) => number): string => Math.max(...all.map(of)).toFixed(2);
  return {
    figure,
    unit: 'fires/s',
    ours: all.map((one) => one.firesPerSecond),
    baseline: 'the same fleets in their own time',
    base: all.map((one) => one.inTheirTime),
    better: 'more',
    note:
      `up to ${best((one) => one.fleetHoursPerSecond)} fleet-hours/s and ` +
      `${best((one) => one.workerHoursPerSecond)} worker-hours/s in one process`,
  };
}
