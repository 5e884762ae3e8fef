/**
 * The workers of a simulation: each a machine with a disk, on which the real MeshWorker runs over
 * simulated ports, is paused, dies and is started again.
 */
import { CronmeshError } from '../../shared/errors.ts';
import { MeshWorker } from '../../worker/mesh-worker.ts';
import type { EtcdStore } from './etcd-store.ts';
import type { Link } from './link.ts';
import type { RunOracle } from './run-oracle.ts';
import type { SeededRandom } from './seeded-random.ts';
import { SimEtcd, type TxnWitness } from './sim-etcd.ts';
import { SimExecutor, type GuardianRules } from './sim-executor.ts';
import { createSimLogger } from './sim-logger.ts';
import { SimProcess, type SimMachine } from './sim-process.ts';
import { SimDisk, SimSpool, type SimStore } from './sim-spool.ts';
import type { SimTime } from './sim-time.ts';
import type { Story } from './story.ts';
import type { Violations } from './violations.ts';

export interface FleetParts {
  readonly time: SimTime;
  readonly etcd: EtcdStore;
  readonly history: SimStore;
  readonly oracle: RunOracle;
  readonly story: Story;
  readonly violations: Violations;
  readonly ttlSeconds: number;
  readonly tombstoneLifeMs: number | undefined;
  readonly rules: GuardianRules;
  readonly lengths: readonly [short: number, middle: number, long: number];
  /** In a mutant the clock is compared with itself. */
  readonly comparesClock: boolean;
  readonly isSpoolDurable: boolean;
  /** In a mutant. */
  readonly forgetsState: boolean;
  readonly trustsKeepAlives: boolean;
  readonly witness: TxnWitness;
}

export class SimWorker {
  readonly machine: SimMachine;
  readonly link: Link;
  readonly disk = new SimDisk();
  readonly slots: number;
  mostMessageMs = 2;
  /** Faults that it suffers now, and when the last one ended. */
  #ailments = 0;
  #lastAilmentMs = 0;
  readonly #parts: FleetParts;
  readonly #random: SeededRandom;
  #life = 0;
  #process: SimProcess | undefined;
  #executor: SimExecutor | undefined;
  #worker: MeshWorker | undefined;

  constructor(
    parts: FleetParts,
    machine: SimMachine,
    link: Link,
    slots: number,
    random: SeededRandom,
  ) {
    this.link = link;
    this.#parts = parts;
    this.machine = machine;
    this.slots = slots;
    this.#random = random;
  }

  get name(): string {
    return this.machine.name;
  }

  get isUp(): boolean {
    return this.#process !== undefined;
  }

  /** Since when nothing ails it; Infinity when something does. */
  get wellSinceMs(): number {
    return this.#ailments > 0 ? Infinity : this.#lastAilmentMs;
  }

  /** A fault begins; the returned function ends it. */
  ail(): () => void {
    this.#ailments++;
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      this.#ailments--;
      this.#lastAilmentMs = this.machine.time.nowMs;
    };
  }

  get process(): SimProcess | undefined {
    return this.#process;
  }

  start(): void {
    if (this.#process !== undefined) return;
    const { etcd, history, oracle, story, time, ttlSeconds, rules, witness, isSpoolDurable } =
      this.#parts;
    const random = this.#random.stream(`life ${++this.#life}`);
    if (this.#parts.forgetsState) this.disk.remembered = undefined;
    const process = new SimProcess(this.machine, random.stream('process'));
    const client = new SimEtcd({
      store: etcd,
      process,
      link: this.link,
      random: random.stream('net'),
      witness,
      trustsKeepAlives: this.#parts.trustsKeepAlives,
    });
    const executor = new SimExecutor({
      process,
      random: random.stream('executor'),
      slots: this.slots,
      witness: oracle,
      rules,
      lengths: this.#parts.lengths,
      mostMessageMs: () => this.mostMessageMs,
    });
    const spool = new SimSpool({
      process,
      disk: this.disk,
      store: history,
      time,
      random: random.stream('spool'),
      isDurable: isSpoolDurable,
    });
    const worker = new MeshWorker({
      config: {
        prefix: '/cron',
        workerId: this.name,
        slots: this.slots,
        sessionTtlSeconds: ttlSeconds,
        drainSeconds: 5,
        etcdMaxTxnOps: 128,
      },
      etcd: client,
      spool,
      executor,
      clock: process.clock,
      random: random.stream('worker').next,
      logger: createSimLogger(story, this.name, (detail) =>
        this.#parts.violations.report('no worker fails by itself', detail),
      ),
      serverDateMs: () => this.#serverDate(process),
      machine: () => ({ host: this.name, version: '0', pid: this.#life, load: [0] }),
      baseEnvironment: {},
      workDirectory: '/',
      tombstoneLifeMs: this.#parts.tombstoneLifeMs,
      memory: this.disk,
    });
    this.#process = process;
    this.#executor = executor;
    this.#worker = worker;
    story.tell(this.name, 'the worker is started');
    void spool.start();
    worker.start().catch((error: unknown) => this.#crashed(process, error));
  }

  /** SIGKILL, or a power cut of the process alone. */
  crash(): void {
    if (this.#process === undefined) return;
    this.#parts.story.tell(this.name, 'the worker is killed');
    this.#process.kill();
    this.#executor?.workerDied();
    this.#forget();
  }

  /** SIGTERM: drains, then ends. */
  stop(): void {
    const process = this.#process;
    const worker = this.#worker;
    if (process === undefined || worker === undefined) return;
    this.#parts.story.tell(this.name, 'the worker is told to stop');
    process.deliver(() => {
      worker.stop().then(
        () => {
          if (this.#process === process) this.crash();
        },
        (error: unknown) => this.#crashed(process, error),
      );
    });
  }

  #crashed(process: SimProcess, error: unknown): void {
    if (this.#process !== process) return;
    this.#parts.story.tell(this.name, `the worker failed: ${String(error)}`);
    if (!(error instanceof CronmeshError)) {
      this.#parts.violations.report('no worker fails by itself', `${this.name}: ${stackOf(error)}`);
    }
    this.crash();
  }

  #forget(): void {
    this.#process = undefined;
    this.#executor = undefined;
    this.#worker = undefined;
  }

  #serverDate(process: SimProcess): Promise<number> {
    const { time, comparesClock } = this.#parts;
    if (!comparesClock) return Promise.resolve(Math.floor(this.machine.wallMs() / 1000) * 1000);
    return new Promise((resolve, reject) => {
      const isUp = this.link.state === 'up';
      const thereMs = 0.5 + this.#random.next() * 4;
      if (!isUp) {
        const fail = (): void => reject(new CronmeshError('etcd-unavailable', 'no time is told'));
        time.after(2000, () => process.deliver(fail));
        return;
      }
      // What its clock shows when it is asked is known beforehand.
      const dateMs = Math.floor((time.trueWallMs + thereMs) / 1000) * 1000;
      const backMs = 0.5 + this.#random.next() * 4;
      time.after(thereMs + backMs, () => process.deliver(() => resolve(dateMs)));
    });
  }
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
