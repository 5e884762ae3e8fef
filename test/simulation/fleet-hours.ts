/**
 * The long run: ordinary operation of fleet after fleet, one seed each, in as many processes as asked
 * for, until so many fleet-hours are simulated. A fleet-hour is one hour of simulated time of one whole
 * fleet, whatever its size. It tells how far it is all the time, so that a run that was ended early
 * still says what it has shown.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { SimResult } from './simulate.ts';

export interface FleetOrder {
  readonly seed: number;
  readonly hours: number;
}

export type FleetReport =
  | { readonly seed: number; readonly result: SimResult }
  /** It could not be simulated at all. */
  | { readonly seed: number; readonly failure: string };

export interface LongRun {
  /** Fleet-hours in all. */
  readonly hours: number;
  readonly processes: number;
  readonly firstSeed: number;
  readonly say: (line: string) => void;
  /** Ends the run after what it has shown so far. */
  readonly signal: AbortSignal;
}

/** Of one fleet: two days, so that every one sees nights, dates and, if its seed says so, a clock change. */
export const hoursOfFleet = 48;
const tellEveryMs = 30_000;

/** Resolves to the exit code: 1 when an invariant broke. */
export async function runFleetHours(run: LongRun): Promise<number> {
  const total = new Total(run);
  const fleets = Math.ceil(run.hours / hoursOfFleet);
  const seeds = Array.from({ length: fleets }, (_, i) => run.firstSeed + i).values();
  run.say(
    `${fleets} fleets of ${hoursOfFleet} hours, seeds ${run.firstSeed} to ` +
      `${run.firstSeed + fleets - 1}, in ${run.processes} processes`,
  );
  const timer = setInterval(() => run.say(total.line()), tellEveryMs);
  try {
    const lanes = Array.from({ length: run.processes }, () => lane(run, seeds, total));
    await Promise.all(lanes);
  } finally {
    clearInterval(timer);
  }
  run.say(total.line());
  if (total.brokenSeeds.length > 0) run.say(`broken seeds: ${total.brokenSeeds.join(' ')}`);
  return total.brokenSeeds.length === 0 ? 0 : 1;
}

/** One process at work on one seed after the other; a new one when it dies. */
async function lane(run: LongRun, seeds: Iterator<number>, total: Total): Promise<void> {
  let child: ChildProcess | undefined;
  try {
    for (let next = seeds.next(); next.done !== true; next = seeds.next()) {
      if (run.signal.aborted) return;
      child ??= startChild();
      const report = await ask(child, { seed: next.value, hours: hoursOfFleet }, run.signal);
      if (report === undefined) return;
      if ('failure' in report) {
        child.kill('SIGKILL');
        child = undefined;
      }
      total.add(report);
    }
  } finally {
    child?.kill('SIGKILL');
  }
}

function startChild(): ChildProcess {
  const file = fileURLToPath(
    new URL(`fleet-hours-child${import.meta.url.slice(-3)}`, import.meta.url),
  );
  // Much is young when it dies here: with room for it, it is never moved.
  return fork(file, [], { execArgv: ['--max-semi-space-size=32'] });
}

function ask(
  child: ChildProcess,
  order: FleetOrder,
  signal: AbortSignal,
): Promise<FleetReport | undefined> {
  return new Promise((resolve) => {
    const settle = (report: FleetReport | undefined): void => {
      child.off('message', onMessage);
      child.off('exit', onExit);
      signal.removeEventListener('abort', onAbort);
      resolve(report);
    };
    const onMessage = (message: unknown): void => settle(message as FleetReport);
    const onExit = (code: number | null, by: string | null): void => {
      settle({ seed: order.seed, failure: `its process ended: ${by ?? code ?? ''}` });
    };
    const onAbort = (): void => settle(undefined);
    child.on('message', onMessage);
    child.on('exit', onExit);
    signal.addEventListener('abort', onAbort, { once: true });
    child.send(order);
  });
}

class Total {
  readonly brokenSeeds: number[] = [];
  readonly #run: LongRun;
  readonly #beganMs = performance.now();
  readonly #sums = { fleets: 0, hours: 0, workerHours: 0, ticks: 0, claims: 0, starts: 0 };
  readonly #ends = { lost: 0, missed: 0, skipped: 0 };

  constructor(run: LongRun) {
    this.#run = run;
  }

  add(report: FleetReport): void {
    if ('failure' in report) {
      this.#broken(report.seed, `could not be simulated: ${report.failure}`);
      return;
    }
    const { result } = report;
    const sums = this.#sums;
    sums.fleets++;
    sums.hours += result.fleetHours;
    sums.workerHours += result.workerHours;
    sums.ticks += result.expectedTicks;
    sums.claims += result.claims;
    sums.starts += result.starts;
    this.#ends.lost += result.lost;
    this.#ends.missed += result.missed;
    this.#ends.skipped += result.skipped;
    const [first] = result.violations;
    if (first !== undefined) this.#broken(report.seed, `${first.invariant}: ${first.detail}`);
  }

  line(): string {
    const seconds = (performance.now() - this.#beganMs) / 1_000;
    const { fleets, hours, workerHours, ticks, claims, starts } = this.#sums;
    const { lost, missed, skipped } = this.#ends;
    const whole = (value: number): string => Math.round(value).toLocaleString('en-US');
    const perSecond = hours / seconds;
    const leftHours = Math.max(0, this.#run.hours - hours);
    const left = hours === 0 ? '?' : whole(leftHours / perSecond / 60);
    return (
      `${whole(hours)} of ${whole(this.#run.hours)} fleet-hours (${fleets} fleets, ` +
      `${whole(workerHours)} worker-hours): ${whole(ticks)} fires expected, ${whole(claims)} claims, ` +
      `${whole(starts)} starts, ${whole(lost)} lost, ${whole(missed)} spans missed, ` +
      `${whole(skipped)} skipped, ${this.brokenSeeds.length} broken; ${perSecond.toFixed(1)} ` +
      `fleet-hours/s, ${whole(claims / seconds)} fires/s, ${whole(seconds)} s so far, ${left} min left`
    );
  }

  #broken(seed: number, what: string): void {
    this.brokenSeeds.push(seed);
    this.#run.say(`BROKEN seed ${seed}: ${what}`);
    this.#run.say(`  again, with its story: npm run simulate -- --operation --seed ${seed}`);
  }
}
