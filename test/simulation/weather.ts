/**
 * What goes wrong, and when: faults of all parts, drawn from a seed. Each ends by itself, clear() ends all.
 */
import type { EtcdStore } from './etcd-store.ts';
import type { SimWorker } from './fleet.ts';
import { untilNext, type Aim } from './regime.ts';
import type { SeededRandom } from './seeded-random.ts';
import type { Link } from './link.ts';
import type { SimStore } from './sim-spool.ts';
import type { SimTime } from './sim-time.ts';
import type { Story } from './story.ts';

interface WeatherOptions {
  readonly time: SimTime;
  readonly etcd: EtcdStore;
  readonly history: SimStore;
  readonly workers: readonly SimWorker[];
  /** Links of masters. */
  readonly links: readonly Link[];
  readonly random: SeededRandom;
  readonly story: Story;
  /** Mean time between two faults of one worker, ms; 0: fair weather. */
  readonly meanMs: number;
  /** Mean time between two compactions, ms; and whether there may be one now. */
  readonly compactMs: number;
  readonly mayCompact: () => boolean;
  readonly aim: Aim | undefined;
}

type Fault = readonly [weight: number, apply: (worker: SimWorker) => void];

/** Every seed has faults that are frequent in it, and some that it does not know at all. */
const emphases = [0, 0.3, 1, 1, 1, 4] as const;

export class Weather {
  readonly #options: WeatherOptions;
  readonly #random: SeededRandom;
  readonly #faults: readonly Fault[];
  /** What will end the faults of now. */
  readonly #ends = new Set<() => void>();
  #isOver = false;
  /** Etcd is back for everybody. */
  onMended: () => void = () => undefined;

  constructor(options: WeatherOptions) {
    this.#options = options;
    this.#random = options.random;
    const faults = this.#allFaults().map(([weight, apply]): Fault => [
      weight * this.#random.pick(emphases),
      apply,
    ]);
    this.#faults = faults.some(([weight]) => weight > 0) ? faults : this.#allFaults();
  }

  start(): void {
    const { workers, meanMs, compactMs } = this.#options;
    if (meanMs === 0) return;
    for (const worker of workers) {
      this.#again(meanMs, () => this.#random.weighted(this.#faults)(worker));
    }
    this.#again(meanMs * 2, () => this.#strikeAll());
    this.#again(compactMs, () => {
      const { etcd, mayCompact } = this.#options;
      if (mayCompact()) etcd.compact(etcd.revision - this.#random.integer(0, 50));
    });
  }

  /** Everything works from here on. */
  clear(): void {
    this.#isOver = true;
    const { workers, links, history } = this.#options;
    history.isDown = false;
    for (const link of links) link.mend();
    for (const worker of workers) {
      worker.link.mend();
      worker.disk.isRefusing = false;
      worker.disk.slowMs = 3;
      worker.mostMessageMs = 2;
      worker.machine.stepWall(-worker.machine.wallErrorMs());
      worker.process?.resume();
      worker.start();
    }
    for (const end of this.#ends) end();
  }

  endSession(name: string): void {
    for (const worker of this.#strikeable(name)) this.#revoke(worker);
  }

  cutOff(name: string, ms: number): void {
    for (const worker of this.#strikeable(name)) this.#cutOff(worker, ms, 'silent');
  }

  /** Empty where nothing may break (any more). */
  #strikeable(name: string): readonly SimWorker[] {
    if (this.#options.meanMs === 0 || this.#isOver) return [];
    return this.#options.workers.filter((each) => each.name === name);
  }

  #again(meanMs: number, what: () => void): void {
    const { time, aim } = this.#options;
    const delayMs = untilNext(this.#random, meanMs, time.nowMs, aim);
    time.after(delayMs, () => {
      if (this.#isOver) return;
      what();
      this.#again(meanMs, what);
    });
  }

  #tell(who: string, what: string, ms?: number): void {
    const until = ms === undefined ? '' : ` for ${(ms / 1000).toFixed(2)} s`;
    this.#options.story.tell(who, `~ ${what}${until}`);
  }

  /** Sets, and takes back when the time is over; until then those of `whom` may not hear of orders. */
  #during(whom: readonly SimWorker[], ms: number, set: () => void, reset: () => void): void {
    const ends = whom.map((worker) => worker.ail());
    for (const end of ends) this.#ends.add(end);
    set();
    this.#options.time.after(ms, () => {
      if (this.#isOver) return;
      reset();
      for (const end of ends) {
        end();
        this.#ends.delete(end);
      }
    });
  }

  #allFaults(): readonly Fault[] {
    return [
      [6, (target) => this.#pause(target, this.#random.between(5, 900))],
      [4, (target) => this.#pause(target, this.#random.between(900, 8_000))],
      [3, (target) => this.#pause(target, this.#random.between(8_000, 45_000))],
      [4, (target) => this.#crash(target)],
      [1, (target) => this.#stop(target)],
      [5, (target) => this.#partition(target)],
      [4, (target) => this.#loseReplies(target)],
      [4, (target) => this.#slowNetwork(target)],
      [3, (target) => this.#stepClock(target)],
      [3, (target) => this.#watch(target)],
      [4, (target) => this.#revoke(target)],
      [3, (target) => this.#depose(target)],
      [2, (target) => this.#disk(target)],
      [3, (target) => this.#slowGuardian(target)],
    ];
  }

  #strikeAll(): void {
    const ms = this.#random.between(500, 30_000);
    const { history, workers, links } = this.#options;
    const all = [...workers.map(({ link }) => link), ...links];
    const each = (set: (link: Link) => void) => () => {
      for (const link of all) set(link);
    };
    switch (this.#random.integer(0, 3)) {
      case 0:
        this.#tell('store', 'is down', ms);
        this.#during(
          [],
          ms,
          () => (history.isDown = true),
          () => (history.isDown = false),
        );
        return;
      case 1:
        this.#tell('etcd', 'is down', ms);
        this.#during(
          workers,
          ms,
          each((link) => (link.state = 'refused')),
          () => {
            each((link) => (link.state = 'up'))();
            this.onMended();
          },
        );
        return;
      case 2:
        this.#tell('etcd', 'loses one message in five', ms);
        this.#during(
          [],
          ms,
          each((link) => (link.lossChance = 0.2)),
          each((link) => (link.lossChance = 0)),
        );
        return;
      default:
        this.#tell('etcd', 'every watch is cut');
        this.#during(
          workers,
          1_000,
          each((link) => link.cutWatch()),
          () => undefined,
        );
    }
  }

  #pause(worker: SimWorker, ms: number): void {
    const { process } = worker;
    if (process === undefined || process.isPaused) return;
    this.#tell(worker.name, 'is paused', ms);
    this.#during(
      [worker],
      ms,
      () => process.pause(),
      () => {
        this.#tell(worker.name, 'goes on');
        process.resume();
      },
    );
  }

  #crash(worker: SimWorker): void {
    if (!worker.isUp) return;
    const ms = this.#random.weighted([
      [2, () => this.#random.between(50, 3_000)],
      [1, () => this.#random.between(3_000, 60_000)],
    ])();
    this.#during(
      [worker],
      ms,
      () => worker.crash(),
      () => worker.start(),
    );
  }

  #stop(worker: SimWorker): void {
    if (!worker.isUp) return;
    const end = worker.ail();
    this.#ends.add(end);
    worker.stop();
    const startLater = (): void => {
      if (worker.isUp) {
        this.#options.time.after(5_000, startLater);
        return;
      }
      worker.start();
      end();
    };
    this.#options.time.after(this.#random.between(5_000, 20_000), startLater);
  }

  #partition(worker: SimWorker): void {
    const ms = this.#random.weighted([
      [3, () => this.#random.between(200, 5_000)],
      [2, () => this.#random.between(5_000, 40_000)],
    ])();
    this.#cutOff(worker, ms, this.#random.chance(0.7) ? 'silent' : 'refused');
  }

  #cutOff(worker: SimWorker, ms: number, state: 'silent' | 'refused'): void {
    this.#tell(worker.name, `is cut off (${state})`, ms);
    this.#during(
      [worker],
      ms,
      () => (worker.link.state = state),
      () => (worker.link.state = 'up'),
    );
  }

  #loseReplies(worker: SimWorker): void {
    const ms = this.#random.between(200, 8_000);
    this.#tell(worker.name, 'gets no replies', ms);
    this.#during(
      [],
      ms,
      () => (worker.link.repliesLost = true),
      () => (worker.link.repliesLost = false),
    );
  }

  #slowNetwork(worker: SimWorker): void {
    const ms = this.#random.between(2_000, 30_000);
    const slowMs = this.#random.pick([300, 1_500, 6_000]);
    this.#tell(worker.name, `has a network that takes up to ${slowMs} ms`, ms);
    this.#during(
      [],
      ms,
      () => Object.assign(worker.link, { slowChance: 0.3, slowMs }),
      () => Object.assign(worker.link, { slowChance: 0, slowMs: 0 }),
    );
  }

  #stepClock(worker: SimWorker): void {
    const { random } = { random: this.#random };
    const sign = random.chance(0.5) ? 1 : -1;
    const byMs = sign * random.pick([100, 240, 900, 1_100, 2_500, 30_000, 3_600_000]);
    this.#tell(worker.name, `has its clock stepped by ${byMs} ms`);
    worker.machine.stepWall(byMs);
    // Somebody puts it right again, one day.
    this.#options.time.after(random.between(5_000, 60_000), () => {
      if (this.#isOver) return;
      this.#tell(worker.name, 'has its clock put right');
      worker.machine.stepWall(-worker.machine.wallErrorMs() + random.between(-300, 300));
    });
  }

  #watch(worker: SimWorker): void {
    const { link } = worker;
    const ms = this.#random.between(1_000, 20_000);
    switch (this.#random.integer(0, 2)) {
      case 0:
        this.#tell(worker.name, 'has its watch cut');
        this.#during(
          [worker],
          1_000,
          () => link.cutWatch(),
          () => undefined,
        );
        return;
      case 1:
        this.#tell(worker.name, 'has a watch that hangs', ms);
        this.#during(
          [worker],
          ms,
          () => (link.isWatchHung = true),
          () => (link.isWatchHung = false),
        );
        return;
      default:
        this.#lag(worker, this.#random.pick([200, 1_500, 6_000]), ms);
    }
  }

  #lag(worker: SimWorker, lagMs: number, ms: number): void {
    const { link } = worker;
    this.#tell(worker.name, `has a watch that lags up to ${lagMs} ms`, ms);
    this.#during(
      [worker],
      ms,
      () => (link.watchLagMs = lagMs),
      () => (link.watchLagMs = 0),
    );
  }

  /** Servers before 3.5.13 do that to live leases. */
  #revoke(worker: SimWorker): void {
    const { etcd, workers } = this.#options;
    const mine = etcd
      .withPrefix('/cron/session/')
      .findLast((kv) => kv.value.toString().includes(`"${worker.name}"`));
    if (mine === undefined) return;
    if (this.#random.chance(0.2)) {
      this.#tell(worker.name, 'has its session key deleted by hand');
      const deletion = { delete: { key: mine.key } };
      etcd.txn({ compare: [], success: [deletion], failure: [] });
      return;
    }
    // It hurts most when the worker does not hear of it.
    if (this.#random.chance(0.5)) this.#partition(worker);
    // Or when others still believe in it.
    if (this.#random.chance(0.3)) for (const other of workers) this.#lag(other, 1_500, 3_000);
    this.#tell(worker.name, 'has its lease revoked by mistake');
    etcd.revoke(mine.lease);
  }

  #depose(worker: SimWorker): void {
    const ms = this.#random.between(1_000, 25_000);
    this.#tell(worker.name, 'speaks to a deposed leader', ms);
    this.#during(
      [worker],
      ms,
      () => (worker.link.isDeposed = true),
      () => (worker.link.isDeposed = false),
    );
  }

  #disk(worker: SimWorker): void {
    const ms = this.#random.between(1_000, 15_000);
    const { disk } = worker;
    if (this.#random.chance(0.5)) {
      this.#tell(worker.name, 'has a full disk', ms);
      this.#during(
        [],
        ms,
        () => (disk.isRefusing = true),
        () => (disk.isRefusing = false),
      );
    } else {
      this.#tell(worker.name, 'has a slow disk', ms);
      this.#during(
        [],
        ms,
        () => (disk.slowMs = 2_000),
        () => (disk.slowMs = 3),
      );
    }
  }

  #slowGuardian(worker: SimWorker): void {
    const ms = this.#random.between(1_000, 15_000);
    this.#tell(worker.name, 'has a slow guardian', ms);
    this.#during(
      [worker],
      ms,
      () => (worker.mostMessageMs = 6_000),
      () => (worker.mostMessageMs = 2),
    );
  }
}
