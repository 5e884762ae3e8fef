/**
 * When people act in a simulation: by themselves, all at once at the moment at which a job is due, when
 * etcd is back and much is to be caught up on, and right after a claim, when it hurts most.
 */
import type { SimWorker } from './fleet.ts';
import type { Human } from './human.ts';
import type { FireBook } from './job-book.ts';
import { untilNext, type Regime } from './regime.ts';
import type { SeededRandom } from './seeded-random.ts';
import type { SimMachine } from './sim-process.ts';
import type { SimTime } from './sim-time.ts';
import type { Weather } from './weather.ts';

interface CrowdOptions {
  readonly time: SimTime;
  readonly regime: Regime;
  readonly humans: readonly Human[];
  readonly workers: readonly SimWorker[];
  readonly jobs: readonly string[];
  readonly random: SeededRandom;
  readonly weather: Weather;
  readonly ttlSeconds: number;
  /** Puts an order against every run of the job, at once. */
  readonly orderByHand: (name: string) => void;
  /** Of a job to use a calendar, for each of them; 0: there are none. */
  readonly calendarChance: number;
}

const clockUpkeepMs = 6 * 3_600_000;
const justBeforeATick = { everyMs: 1_000, fromMs: 300, untilMs: 20 };
/** Of claims that are followed by something bad; more where the next fire waits for the run. */
const hurtShare = 0.06;
const hurtWaitingShare = 0.2;

export class Crowd {
  readonly #options: CrowdOptions;
  readonly #hurt: SeededRandom;
  #isBusy = true;

  constructor(options: CrowdOptions) {
    this.#options = options;
    this.#hurt = options.random.stream('hurt');
  }

  start(): void {
    const { humans, jobs, workers, regime } = this.#options;
    for (const human of humans) this.#busy(human);
    if (regime.upkeepMs < Infinity) for (const name of jobs) this.#keepUp(name);
    if (regime.keepsClocks) for (const { machine } of workers) this.#keepClock(machine);
    this.#flurry();
  }

  get isOver(): boolean {
    return !this.#isBusy;
  }

  stop(): void {
    this.#isBusy = false;
  }

  /** What comes right after a claim hurts most: an order against its run, the end of its session. */
  afterClaim({ name, worker }: FireBook, concurrency: string | undefined): void {
    const { time, humans, weather, ttlSeconds, orderByHand } = this.#options;
    const random = this.#hurt;
    const isAwaited = concurrency === 'queue' || concurrency === 'replace';
    if (!this.#isBusy || !random.chance(isAwaited ? hurtWaitingShare : hurtShare)) return;
    switch (random.integer(0, 4)) {
      case 0: {
        const human = random.pick(humans);
        time.after(random.between(0, 50), () => void human.killAll(name));
        return;
      }
      case 1:
        time.after(random.between(0, 20), () => orderByHand(name));
        return;
      case 2: {
        // Back when its lease has just ended, and others begin to settle what it left.
        const ms = ttlSeconds * 1_000 + random.between(-1_500, 2_500);
        time.after(0, () => weather.cutOff(worker, ms));
        return;
      }
      default: {
        const delayMs = untilNext(random, 1_000, time.nowMs, justBeforeATick);
        time.after(delayMs, () => weather.endSession(worker));
      }
    }
  }

  /** When etcd is back there is much to catch up on: now people change how that is done. */
  afterTrouble(): void {
    const { time, humans, jobs } = this.#options;
    for (const human of humans) {
      const name = this.#hurt.pick(jobs);
      time.after(this.#hurt.between(0, 2_500), () => void human.changePolicies(name));
    }
  }

  #busy(human: Human): void {
    const { random } = this.#options;
    const { deedMs, aim } = this.#options.regime;
    this.#options.time.after(untilNext(random, deedMs, this.#options.time.nowMs, aim), () => {
      if (!this.#isBusy) return;
      void human.act();
      this.#busy(human);
    });
  }

  #keepUp(name: string): void {
    const { random } = this.#options;
    this.#options.time.after(random.exponential(this.#options.regime.upkeepMs), () => {
      if (!this.#isBusy) return;
      void random.pick(this.#options.humans).keepUp(name);
      this.#keepUp(name);
    });
  }

  /** Somebody sees that a clock is off, and puts it right. */
  #keepClock(machine: SimMachine): void {
    const { random } = this.#options;
    this.#options.time.after(random.exponential(clockUpkeepMs), () => {
      if (!this.#isBusy) return;
      if (Math.abs(machine.wallErrorMs()) > 500) {
        machine.stepWall(-machine.wallErrorMs() + random.between(-300, 300));
      }
      this.#keepClock(machine);
    });
  }

  /** Everybody at the same job at the same time, and at the moment it is due. */
  #flurry(): void {
    const { random } = this.#options;
    this.#options.time.after(random.exponential(this.#options.regime.flurryMs), () => {
      if (!this.#isBusy) return;
      const name = random.pick(this.#options.jobs);
      const toSecondMs = 1_000 - (this.#options.time.nowMs % 1_000);
      const deed = random.weighted<(human: Human) => Promise<void>>([
        [5, (human) => human.act(name)],
        [4, (human) => human.trigger(name)],
        [1, (human) => human.putByHand(name)],
        [this.#options.calendarChance * 10, (human) => human.changeBoth(name)],
        [4, (human) => human.changePolicies(name)],
        [2, (human) => human.killAll(name)],
      ]);
      for (const human of [...this.#options.humans, ...this.#options.humans]) {
        this.#options.time.after(Math.max(0, toSecondMs + random.between(-150, 250)), () => {
          void deed(human);
        });
      }
      this.#flurry();
    });
  }
}
