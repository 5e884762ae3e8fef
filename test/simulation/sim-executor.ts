/**
 * The Executor port over a simulated guardian and simulated processes. The guardian is a process of
 * its own on the worker's machine: it hears the worker with a delay, is not held up by the worker's
 * pauses, refuses starts after their `startBy` or the session deadline, kills guarded runs when that
 * deadline passes, and everything when the worker dies.
 */
import type {
  Executor,
  EndedBy,
  RunHandle,
  RunListener,
  RunResult,
  RunSpec,
} from '../../worker/executor/port.ts';
import type { SeededRandom } from './seeded-random.ts';
import type { SimProcess } from './sim-process.ts';

/** Who sees what truly runs, at the true time of it. */
export interface RunWitness {
  started(worker: string, spec: RunSpec): void;
  ended(worker: string, spec: RunSpec, how: EndedBy | 'worker-died'): void;
  /** The worker asked for the end of the run. */
  killAsked(worker: string, spec: RunSpec, reason: string): void;
}

/** Rules of the guardian that a mutation test takes out. */
export interface GuardianRules {
  readonly keepsDeadline: boolean;
  readonly keepsStartBy: boolean;
}

export interface SimExecutorOptions {
  readonly process: SimProcess;
  readonly random: SeededRandom;
  readonly slots: number;
  readonly witness: RunWitness;
  readonly rules: GuardianRules;
  /** How frequent short runs (a third of a second), middling and long ones (up to 40 s) are. */
  readonly lengths: readonly [short: number, middle: number, long: number];
  /** What a message between worker and guardian may take at most, ms. */
  mostMessageMs(): number;
}

interface SimRun {
  readonly spec: RunSpec;
  readonly listener: RunListener;
  readonly startBy: number;
  readonly settle: (result: RunResult) => void;
  state: 'waiting' | 'sent' | 'running' | 'over';
  startedAt: number | undefined;
  killReason: string | undefined;
  cause: 'timeout' | 'kill' | 'fence' | undefined;
  cancels: (() => void)[];
}

export class SimExecutor implements Executor {
  readonly slots: number;
  readonly #options: SimExecutorOptions;
  readonly #runs = new Set<SimRun>();
  #guardianDeadlineMs = 0;
  #cancelDeadline: () => void = () => undefined;
  #lastMessageAtMs = 0;
  #workerDied = false;

  constructor(options: SimExecutorOptions) {
    this.#options = options;
    this.slots = options.slots;
  }

  async start(): Promise<void> {
    // The guardian is there with the machine.
  }

  /** As the real one: TERM, grace, KILL; what is left ends with the guardian. */
  async stop(): Promise<void> {
    for (const run of this.#runs) this.#finish(run, 'guardian-lost');
  }

  running(): number {
    return [...this.#runs].filter(({ state }) => state === 'running').length;
  }

  freeSlots(): number {
    return Math.max(0, this.slots - this.#runs.size);
  }

  healthy(): boolean {
    return true;
  }

  setDeadline(deadlineMs: number): void {
    this.#tell(() => {
      this.#guardianDeadlineMs = deadlineMs;
      this.#armDeadline();
    });
  }

  run(spec: RunSpec, listener: RunListener, startBy: number): RunHandle {
    let settle: (result: RunResult) => void = () => undefined;
    const result = new Promise<RunResult>((resolve) => {
      settle = resolve;
    });
    const run: SimRun = {
      spec,
      listener,
      startBy,
      settle,
      state: 'waiting',
      startedAt: undefined,
      killReason: undefined,
      cause: undefined,
      cancels: [],
    };
    this.#runs.add(run);
    run.state = 'sent';
    this.#tell(() => this.#spawn(run));
    return {
      runId: spec.runId,
      result,
      kill: (reason, graceMs) => this.#kill(run, reason, graceMs ?? spec.killGraceMs),
      hurryOutput: () => undefined,
    };
  }

  /** The worker process is gone: its guardian kills all that it started. */
  workerDied(): void {
    this.#workerDied = true;
    const { machine } = this.#options.process;
    machine.after(this.#options.random.between(1, 20), () => {
      for (const run of this.#runs) this.#finish(run, 'guardian-lost');
      this.#cancelDeadline();
    });
  }

  /** In order, each after its own delay. */
  #tell(what: () => void): void {
    const { process, random } = this.#options;
    const { time } = process.machine;
    const mostMs = this.#options.mostMessageMs();
    const atMs = Math.max(this.#lastMessageAtMs, time.nowMs + 0.1 + random.next() ** 3 * mostMs);
    this.#lastMessageAtMs = atMs;
    time.after(atMs - time.nowMs, () => {
      if (!this.#workerDied) what();
    });
  }

  #spawn(run: SimRun): void {
    if (run.state !== 'sent') return;
    const { process, random, witness, rules } = this.#options;
    const { machine } = process;
    const nowMs = machine.monotonicMs();
    if (rules.keepsDeadline && nowMs >= this.#guardianDeadlineMs) {
      this.#fence();
      this.#answer(run, 'refused', 'the session deadline has passed');
      return;
    }
    if (rules.keepsStartBy && nowMs > run.startBy) {
      this.#answer(run, 'refused', 'too late to start');
      return;
    }
    run.state = 'running';
    run.startedAt = machine.wallMs();
    witness.started(machine.name, run.spec);
    const startedAt = run.startedAt;
    process.machine.time.after(random.between(0.1, 3), () => {
      process.deliver(() => run.listener.onStarted(startedAt, 4242));
    });
    run.cancels.push(
      machine.after(this.#durationMs(), () => this.#finish(run, 'itself')),
      machine.after(run.spec.timeoutMs, () => this.#end(run, 'timeout', run.spec.killGraceMs)),
    );
  }

  #durationMs(): number {
    const { random, lengths } = this.#options;
    const [short, middle, long] = lengths;
    return random.weighted([
      [short, () => random.between(5, 300)],
      [middle, () => random.between(300, 5_000)],
      [long, () => random.between(5_000, 40_000)],
    ])();
  }

  #kill(run: SimRun, reason: string, graceMs: number): void {
    if (run.state === 'over') return;
    run.killReason ??= reason;
    this.#options.witness.killAsked(this.#options.process.machine.name, run.spec, reason);
    this.#tell(() => this.#end(run, 'kill', graceMs));
  }

  #end(run: SimRun, cause: 'timeout' | 'kill' | 'fence', graceMs: number): void {
    if (run.state !== 'running') return;
    const { random, process } = this.#options;
    run.cause ??= cause;
    const { cause: first } = run;
    // Most programs go at TERM; some have to be killed.
    const share = random.chance(0.3) ? 1 : random.next();
    const delayMs = graceMs <= 0 ? 0 : graceMs * share;
    run.cancels.push(process.machine.after(delayMs, () => this.#finish(run, first)));
  }

  #armDeadline(): void {
    this.#cancelDeadline();
    const { process, rules } = this.#options;
    if (!rules.keepsDeadline) return;
    const leftMs = this.#guardianDeadlineMs - process.machine.monotonicMs();
    if (leftMs <= 0) this.#fence();
    else this.#cancelDeadline = process.machine.after(leftMs, () => this.#armDeadline());
  }

  #fence(): void {
    for (const run of this.#runs) {
      if (run.spec.guarded && run.state === 'running') {
        run.cause ??= 'fence';
        this.#finish(run, run.cause);
      }
    }
  }

  /** The process is gone, now. */
  #finish(run: SimRun, endedBy: EndedBy): void {
    if (run.state === 'over') return;
    const wasRunning = run.state === 'running';
    for (const cancel of run.cancels) cancel();
    const { witness, process, random } = this.#options;
    run.state = 'over';
    if (wasRunning) {
      const how = this.#workerDied ? 'worker-died' : endedBy;
      witness.ended(process.machine.name, run.spec, how);
    }
    const exit =
      endedBy === 'itself' ? { exitCode: random.chance(0.2) ? 1 : 0 } : { signal: 'SIGKILL' };
    this.#answer(run, endedBy, reasonOf(run, endedBy), exit);
  }

  #answer(
    run: SimRun,
    endedBy: EndedBy,
    reason: string | undefined,
    exit: { readonly exitCode?: number; readonly signal?: string } = {},
  ): void {
    run.state = 'over';
    const { process, random } = this.#options;
    const endedAt = process.machine.wallMs();
    process.machine.time.after(random.between(3.1, 6), () => {
      process.deliver(() => {
        this.#runs.delete(run);
        run.settle({
          ...(run.startedAt === undefined ? {} : { startedAt: run.startedAt }),
          endedAt,
          endedBy,
          ...(reason === undefined ? {} : { reason }),
          ...exit,
          outputBytes: 0,
          outputTruncated: false,
        });
      });
    });
  }
}

function reasonOf(run: SimRun, endedBy: EndedBy): string | undefined {
  switch (endedBy) {
    case 'itself':
      return undefined;
    case 'kill':
      return run.killReason;
    case 'fence':
      return 'the session deadline has passed';
    case 'timeout':
      return 'still running at its timeout';
    default:
      return 'the guardian ended';
  }
}
