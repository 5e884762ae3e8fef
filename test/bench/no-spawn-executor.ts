/**
 * An executor whose runs start and succeed at once, without any process: what is measured through it
 * is the mesh alone. It notes when each run started.
 */
import { systemClock } from '../../shared/clock.ts';
import type {
  Executor,
  RunHandle,
  RunListener,
  RunResult,
  RunSpec,
} from '../../worker/executor/port.ts';

export interface Start {
  readonly job: string;
  readonly tick: number;
  readonly startedAt: number;
}

export class NoSpawnExecutor implements Executor {
  readonly slots: number;
  #running = 0;
  #starts: Start[] = [];
  #deadlineMs = 0;

  constructor(slots: number) {
    this.slots = slots;
  }

  async start(): Promise<void> {
    // There is nothing to start.
  }

  async stop(): Promise<void> {
    // Nor to stop.
  }

  running(): number {
    return this.#running;
  }

  freeSlots(): number {
    return this.slots - this.#running;
  }

  healthy(): boolean {
    return true;
  }

  setDeadline(deadlineMs: number): void {
    this.#deadlineMs = deadlineMs;
  }

  run(spec: RunSpec, listener: RunListener, startBy: number): RunHandle {
    const handle = (result: Promise<RunResult>): RunHandle => ({
      runId: spec.runId,
      result,
      kill: () => undefined,
      hurryOutput: () => undefined,
    });
    const startedAt = systemClock.wallMs();
    const none = { outputBytes: 0, outputTruncated: false };
    if (systemClock.monotonicMs() > Math.min(startBy, this.#deadlineMs)) {
      return handle(Promise.resolve({ endedAt: startedAt, endedBy: 'refused', ...none }));
    }
    this.#running++;
    this.#starts.push({ job: spec.job, tick: Number(spec.environment['CRON_TICK']), startedAt });
    listener.onStarted(startedAt, process.pid);
    return handle(
      new Promise((resolve) => {
        systemClock.soon(() => {
          this.#running--;
          const endedAt = systemClock.wallMs();
          resolve({ startedAt, endedAt, endedBy: 'itself', exitCode: 0, ...none });
        });
      }),
    );
  }

  /** The starts since it was last asked. */
  take(): Start[] {
    const starts = this.#starts;
    this.#starts = [];
    return starts;
  }
}
