/**
 * One process of the mesh, kept running: started in a group of its own (so that Ctrl-C in the
 * terminal reaches the supervisor alone), its output in a log file, started again with backoff when
 * it dies by itself. stop() sends TERM and, after the grace, KILL.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { openSync, closeSync } from 'node:fs';

export interface ChildOptions {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly logFile: string;
  readonly stopGraceMs: number;
  /** It runs under a new pid. */
  onStart(): void;
  /** It ended without being asked to; `again` says in how long it is started anew. */
  onDeath(name: string, how: string, againMs: number): void;
}

const maxBackoffMs = 10_000;
const settledMs = 20_000;

export class Child {
  readonly #options: ChildOptions;
  #process: ChildProcess | undefined;
  #failures = 0;
  #stopping = false;
  #restart: NodeJS.Timeout | undefined;
  #startedAt = 0;

  constructor(options: ChildOptions) {
    this.#options = options;
  }

  get name(): string {
    return this.#options.name;
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** False once it has died, until it is started anew. */
  get running(): boolean {
    return this.#process?.exitCode === null && this.#process.signalCode === null;
  }

  start(): void {
    const { command, args, env, logFile } = this.#options;
    const log = openSync(logFile, 'a');
    try {
      this.#startedAt = Date.now();
      const child = spawn(command, args, {
        detached: true,
        stdio: ['ignore', log, log],
        env: { ...process.env, ...env },
      });
      this.#process = child;
      child.once('error', (error) => this.#died(error.message));
      child.once('exit', (code, signal) => this.#died(signal ?? `exit code ${String(code)}`));
    } finally {
      closeSync(log);
    }
    this.#options.onStart();
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#restart);
    const child = this.#process;
    if (child === undefined || !this.running) return;
    const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), this.#options.stopGraceMs);
    await gone;
    clearTimeout(timer);
  }

  killNow(): void {
    this.#stopping = true;
    clearTimeout(this.#restart);
    if (this.running) this.#process?.kill('SIGKILL');
  }

  #died(how: string): void {
    if (this.#stopping) return;
    if (Date.now() - this.#startedAt > settledMs) this.#failures = 0;
    const againMs = Math.min(500 * 2 ** this.#failures++, maxBackoffMs);
    this.#options.onDeath(this.#options.name, how, againMs);
    this.#restart = setTimeout(() => this.start(), againMs);
  }
}
