/**
 * One simulation: a fleet of real workers over a simulated world, people who use it, weather that
 * breaks it, then fair weather, then quiet, then the last checks. Everything follows from the seed.
 */
import { CalendarTurns } from './calendar-turns.ts';
import { createClaimWitness } from './claim-witness.ts';
import { Crowd } from './crowd.ts';
import { EtcdStore } from './etcd-store.ts';
import { checkFinally, leftovers } from './final-checks.ts';
import { SimWorker } from './fleet.ts';
import { forbidGlobals } from './forbidden-globals.ts';
import { Human } from './human.ts';
import { keepLeases } from './lease-keeper.ts';
import { Ledger } from './ledger.ts';
import { Link } from './link.ts';
import type { Mutation } from './mutation.ts';
import { operation, storm, type Regime } from './regime.ts';
import { Restores } from './restores.ts';
import { RunOracle } from './run-oracle.ts';
import { SeededRandom } from './seeded-random.ts';
import { SimEtcd } from './sim-etcd.ts';
import { SimMachine, SimProcess } from './sim-process.ts';
import { SimStore } from './sim-spool.ts';
import { SimTime } from './sim-time.ts';
import { Story, type StoryDetail } from './story.ts';
import { Violations, type Violation } from './violations.ts';
import { Weather } from './weather.ts';

export interface SimOptions {
  readonly seed: number;
  readonly workers?: number;
  readonly jobs?: number;
  /** Of storm; 4 when nothing is said. */
  readonly minutes?: number;
  /** Of ordinary operation, in place of a storm. */
  readonly hours?: number;
  readonly story?: StoryDetail;
  /** No fault at all: what the mesh does when everything works. */
  readonly isFair?: boolean;
  readonly mutation?: Mutation;
  /** Events between two turns of the real loop. */
  readonly eventsPerTurn?: number;
}

export interface SimResult {
  readonly seed: number;
  readonly violations: readonly Violation[];
  readonly story: string;
  readonly expectedTicks: number;
  readonly claims: number;
  readonly starts: number;
  readonly settlements: number;
  readonly lost: number;
  readonly missed: number;
  readonly skipped: number;
  readonly simulatedMs: number;
  /** One hour of simulated time of one whole fleet. */
  readonly fleetHours: number;
  readonly workerHours: number;
  readonly events: number;
  readonly commits: number;
}

/** Until dead sessions are settled and clocks are verified again. */
const leastRecoveryMs = 35_000;
const quietLimitMs = 300_000;
const masters = 2;

export async function simulate(options: SimOptions): Promise<SimResult> {
  const uses: string[] = [];
  const allow = forbidGlobals(uses);
  const world = new World(options);
  const onUnhandled = (error: unknown): void => {
    const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
    world.violations.report('no failure is left unhandled', detail);
  };
  process.on('unhandledRejection', onUnhandled);
  try {
    await world.run();
  } finally {
    process.off('unhandledRejection', onUnhandled);
    allow();
  }
  for (const use of uses) world.violations.report('no real time and no real chance', use);
  return world.result();
}

class World {
  readonly #options: SimOptions;
  readonly #regime: Regime;
  readonly #time: SimTime;
  readonly #random: SeededRandom;
  readonly #story: Story;
  readonly violations: Violations;
  readonly #etcd = new EtcdStore();
  readonly #history = new SimStore();
  readonly #ledger: Ledger;
  readonly #oracle: RunOracle;
  readonly #workers: SimWorker[] = [];
  readonly #humans: Human[] = [];
  readonly #weather: Weather;
  readonly #restores: Restores;
  readonly #jobs: readonly string[];
  readonly #ttlSeconds: number;
  readonly #calendarChance: number;

  constructor(options: SimOptions) {
    this.#options = options;
    const random = new SeededRandom(options.seed);
    this.#random = random;
    this.#regime = regimeOf(options, random);
    this.#time = new SimTime(this.#regime.originMs, options.eventsPerTurn);
    this.#story = new Story(this.#time, options.story ?? 'none');
    this.violations = new Violations(this.#story);
    const mutation = options.mutation ?? {};
    if (mutation.alter !== undefined) this.#etcd.alter = mutation.alter;
    this.#history.overridesEnds = mutation.overridesEnds === true;
    this.#ledger = new Ledger(this.#etcd, this.#time, this.violations);
    this.#oracle = new RunOracle(this.#ledger, this.#time, this.#story, this.violations);
    keepLeases(this.#etcd, this.#time, random.stream('leases'));
    this.#ledger.hasRoom = () => {
      const slots = this.#workers.reduce((sum, worker) => sum + worker.slots, 0);
      return this.#oracle.runningCount * 2 < slots && slots >= 4;
    };
    const draw = random.stream('world');
    mutation.attach?.(this.#etcd);
    if (draw.chance(0.2)) grantLonger(this.#etcd);
    const ttlSeconds = draw.pick(this.#regime.ttlSeconds);
    this.#ttlSeconds = ttlSeconds;
    this.#calendarChance = random.stream('calendars').pick([0, 0.15, 0.5]);
    const workerCount = options.workers ?? draw.pick(this.#regime.workers);
    const jobCount = options.jobs ?? draw.integer(...this.#regime.jobs);
    this.#jobs = Array.from({ length: jobCount }, (_, i) => `job-${i + 1}`);
    const links: Link[] = [];
    const lengths = draw.pick([
      [6, 3, 1],
      [6, 3, 1],
      [2, 3, 5],
    ] as const);
    const ttls = random.stream('ttl');
    const mixed = ttls.chance(0.3) ? ttls : undefined;
    // As days are to clocks that are hours apart, so are seconds to clocks that are kept.
    const isKept = options.hours === undefined && random.stream('sweep').chance(0.4);
    const shortLifeMs = isKept ? 8_000 : undefined;
    for (let i = 1; i <= workerCount; i++) {
      const machine = this.#machine(`w${i}`, random.stream(`machine ${i}`));
      const slots = draw.pick([1, 2, 4, 8]);
      const parts = {
        time: this.#time,
        etcd: this.#etcd,
        history: this.#history,
        oracle: this.#oracle,
        story: this.#story,
        violations: this.violations,
        tombstoneLifeMs: mutation.tombstoneLifeMs ?? shortLifeMs,
        ttlSeconds: mixed?.pick([5, 8, 15, 20, 32]) ?? ttlSeconds,
        rules: {
          keepsDeadline: mutation.ignoresDeadline !== true,
          keepsStartBy: mutation.ignoresStartBy !== true,
        },
        lengths,
        comparesClock: mutation.trustsOwnClock !== true,
        isSpoolDurable: mutation.forgetsDisk !== true,
        forgetsState: mutation.forgetsState === true,
        trustsKeepAlives: mutation.trustsKeepAlives === true,
        witness: createClaimWitness(this.#ledger, this.violations),
      };
      const link = new Link(draw.pick([4, 4, 60, 250]), draw.pick([3, 3, 100, 900]));
      this.#workers.push(new SimWorker(parts, machine, link, slots, random.stream(`worker ${i}`)));
    }
    for (let i = 1; i <= masters; i++) links.push(this.#addHuman(`human-${i}`, shortLifeMs));
    this.#oracle.wellSinceMs = (name) =>
      this.#workers.find((worker) => worker.name === name)?.wellSinceMs ?? Infinity;
    this.#weather = new Weather({
      time: this.#time,
      etcd: this.#etcd,
      history: this.#history,
      workers: this.#workers,
      links,
      random: random.stream('weather'),
      story: this.#story,
      meanMs: options.isFair === true ? 0 : draw.pick(this.#regime.faultMs),
      compactMs: this.#regime.compactMs,
      mayCompact: () => this.#restores.mayCompact,
      aim: this.#regime.aim,
    });
    this.#restores = new Restores({
      ...{ time: this.#time, etcd: this.#etcd, ledger: this.#ledger, story: this.#story },
      links: [...links, ...this.#workers.map(({ link }) => link)],
      workers: this.#workers,
      random: random.stream('restores'),
      chance: options.isFair === true ? 0 : this.#regime.restoreChance,
      meanMs: this.#regime.durationMs / 3,
    });
    const facts = `ttl ${mixed === undefined ? `${ttlSeconds} s` : 'mixed'}, ${workerCount} workers, ${jobCount} jobs`;
    this.#story.tell('world', `seed ${options.seed}: ${facts}`);
  }

  async run(): Promise<void> {
    const random = this.#random.stream('people');
    for (const worker of this.#workers) {
      this.#time.after(random.between(0, 2_000), () => worker.start());
    }
    const [first] = this.#humans;
    for (const name of this.#jobs) {
      this.#time.after(random.between(0, 5_000), () => void first?.create(name));
    }
    const crowd = new Crowd({
      time: this.#time,
      regime: this.#regime,
      humans: this.#humans,
      workers: this.#workers,
      jobs: this.#jobs,
      random,
      weather: this.#weather,
      ttlSeconds: this.#ttlSeconds,
      orderByHand: (name) => {
        const put = { put: { key: `/cron/killer/${name}`, value: 'at once' } };
        this.#etcd.txn({ compare: [], success: [put], failure: [] });
        this.#story.tell('etcd', `somebody puts killer/${name}`);
      },
      calendarChance: this.#calendarChance,
    });
    crowd.start();
    this.#ledger.onClaimed = (fire) =>
      crowd.afterClaim(fire, this.#ledger.book(fire.name).current?.concurrency);
    this.#weather.onMended = () => crowd.afterTrouble();
    if (this.#calendarChance > 0) this.#turnCalendars(crowd);
    this.#weather.start();
    this.#restores.start();
    await this.#until(this.#regime.durationMs);
    crowd.stop();
    this.#restores.stop();
    this.#weather.clear();
    this.#story.tell('world', 'fair weather');
    await this.#until(
      this.#time.nowMs + Math.max(leastRecoveryMs, this.#ttlSeconds * 1_000 + 20_000),
    );
    // From here on nothing is an excuse any more.
    this.#ledger.mustRunFromMs = this.#time.trueWallMs;
    this.#ledger.calendars.mustTellFromMs = this.#time.trueWallMs;
    await this.#until(this.#time.nowMs + this.#regime.calmMs);
    this.#ledger.mustRunFromMs = Infinity;
    this.#ledger.calendars.mustTellFromMs = Infinity;
    await this.#peopleGoHome();
    for (const name of this.#jobs) void first?.settleDown(name);
    this.#story.tell('world', 'every job is paused');
    const endMs = this.#time.nowMs + quietLimitMs;
    do {
      await this.#until(this.#time.nowMs + 5_000);
    } while (this.#time.nowMs < endMs && leftovers(this.#finals()).length > 0 && !this.#isBroken());
    if (!this.#isBroken()) checkFinally(this.#finals(), this.violations);
    this.#story.tell('world', `over: ${this.#ledger.claims} claims, ${this.#oracle.starts} starts`);
  }

  result(): SimResult {
    const { settlements, expectedTicks, claims } = this.#ledger;
    const count = (outcome: string): number =>
      settlements.filter((settlement) => settlement.outcome === outcome).length;
    return {
      seed: this.#options.seed,
      violations: this.violations.list,
      story: this.#story.text(),
      expectedTicks,
      claims,
      starts: this.#oracle.starts,
      settlements: settlements.length,
      lost: count('lost'),
      missed: count('missed'),
      skipped: count('skipped'),
      simulatedMs: this.#time.nowMs,
      fleetHours: this.#time.nowMs / 3_600_000,
      workerHours: (this.#time.nowMs * this.#workers.length) / 3_600_000,
      events: this.#time.eventCount,
      commits: this.#etcd.revision,
    };
  }

  /** What somebody has begun must not land in the quiet. */
  async #peopleGoHome(): Promise<void> {
    for (const human of this.#humans) human.retire();
    const endMs = this.#time.nowMs + quietLimitMs;
    while (this.#humans.some(({ isActing }) => isActing) && this.#time.nowMs < endMs) {
      await this.#until(this.#time.nowMs + 100);
      if (this.#isBroken()) return;
    }
  }

  #isBroken(): boolean {
    return this.violations.list.length > 0;
  }

  #until(ms: number): Promise<void> {
    return this.#time.run(ms, () => this.#isBroken());
  }

  #finals(): Parameters<typeof leftovers>[0] {
    return {
      etcd: this.#etcd,
      history: this.#history,
      ledger: this.#ledger,
      oracle: this.#oracle,
      workers: this.#workers,
    };
  }

  #turnCalendars(crowd: Crowd): void {
    const random = this.#random.stream('turns');
    const turns = new CalendarTurns({
      time: this.#time,
      etcd: this.#etcd,
      ledger: this.#ledger,
      humans: this.#humans,
      random,
      meanMs: this.#regime.deedMs * random.pick([1.5, 6, 12]),
      isOver: () => crowd.isOver,
    });
    turns.start();
  }

  #machine(name: string, random: SeededRandom): SimMachine {
    const isFair = this.#options.isFair === true;
    const { keepsClocks } = this.#regime;
    // Most clocks are right; some are at the bound or far beyond it.
    const wallOffsetMs = random.weighted([
      [6, () => random.between(-300, 300)],
      [2, () => random.between(-1_000, 1_000)],
      [isFair ? 0 : 1, () => random.between(-3_000, 3_000)],
      [isFair ? 0 : 1, () => random.between(-60_000, 60_000)],
    ])();
    const wallRate = 1 + random.between(-1, 1) * (random.chance(0.1) ? 3e-5 : 2e-6);
    return new SimMachine({
      name,
      time: this.#time,
      ...(keepsClocks ? { wallRate } : {}),
      // Now and then a bad crystal; the others are disciplined.
      rate: 1 + random.between(-1, 1) * (random.chance(0.1) ? 0.004 : 0.0005),
      wallOffsetMs,
      bootMs: random.between(1_000, 1_000_000),
    });
  }

  #addHuman(name: string, tombstoneLifeMs: number | undefined): Link {
    const random = this.#random.stream(name);
    const machine = this.#machine(name, random.stream('machine'));
    if (tombstoneLifeMs !== undefined)
      machine.wallOffsetMs = random.stream('clock').between(-1_000, 1_000);
    const process = new SimProcess(machine, random.stream('process'));
    const link = new Link(random.pick([4, 60, 250]));
    const etcd = new SimEtcd({ store: this.#etcd, process, link, random: random.stream('net') });
    this.#humans.push(
      new Human({
        name,
        process,
        etcd,
        ledger: this.#ledger,
        random: random.stream('deeds'),
        story: this.#story,
        jobs: this.#jobs,
        schedules: this.#regime.schedules,
        calendarChance: this.#calendarChance,
        tombstoneLifeMs,
      }),
    );
    return link;
  }
}

function regimeOf({ hours, minutes }: SimOptions, random: SeededRandom): Regime {
  return hours === undefined
    ? storm(random.stream('regime'), minutes)
    : operation(hours, random.stream('regime'));
}

/** A server with a long election: its least TTL is above what the mesh asks for. */
function grantLonger(etcd: EtcdStore): void {
  const grant = etcd.grant.bind(etcd);
  etcd.grant = (ttlSeconds, nowMs) => grant(Math.max(20, ttlSeconds), nowMs);
}
