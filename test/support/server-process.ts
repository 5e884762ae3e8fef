/**
 * A real server run for a test: spawned in the foreground, its output kept for error messages,
 * ended by its own pid. It dies with the test process, even when that is killed with SIGKILL
 * (through setpriv's parent-death signal; an exit handler stands in where setpriv is missing).
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';

const keptOutputBytes = 64 * 1024;
const setpriv = ['/usr/bin/setpriv', '/bin/setpriv'].find((path) => existsSync(path));

const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

export class ServerProcess {
  readonly #child: ChildProcess;
  readonly #exited: Promise<void>;
  #output = '';
  #frozen = false;

  constructor(program: string, args: readonly string[], options: { readonly cwd?: string } = {}) {
    const [command, ...commandArgs] =
      setpriv === undefined
        ? ([program, ...args] as const)
        : ([setpriv, '--pdeathsig', 'KILL', '--', program, ...args] as const);
    this.#child = spawn(command, commandArgs, {
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    });
    const keep = (chunk: Buffer): void => {
      this.#output = (this.#output + chunk.toString('utf8')).slice(-keptOutputBytes);
    };
    this.#child.stdout?.on('data', keep);
    this.#child.stderr?.on('data', keep);
    running.add(this.#child);
    this.#exited = new Promise((resolve) => {
      this.#child.once('error', (error) => {
        this.#output += `\n${error.message}`;
        resolve();
      });
      this.#child.once('exit', () => resolve());
    });
    void this.#exited.then(() => running.delete(this.#child));
  }

  get pid(): number {
    const pid = this.#child.pid;
    if (pid === undefined) throw new Error(`the server did not start: ${this.#output}`);
    return pid;
  }

  get running(): boolean {
    return (
      this.#child.pid !== undefined &&
      this.#child.exitCode === null &&
      this.#child.signalCode === null
    );
  }

  /** The end of what it wrote, stdout and stderr together. */
  get output(): string {
    return this.#output;
  }

  freeze(): void {
    this.#frozen = true;
    this.#child.kill('SIGSTOP');
  }

  thaw(): void {
    this.#frozen = false;
    this.#child.kill('SIGCONT');
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async exited(): Promise<void> {
    await this.#exited;
  }

  async kill(): Promise<void> {
    if (this.running) this.#child.kill('SIGKILL');
    await this.#exited;
  }

  /** SIGTERM, then SIGKILL when it is still there after `graceMs`. */
  async stop(graceMs = 10_000): Promise<void> {
    if (!this.running) {
      await this.#exited;
      return;
    }
    if (this.#frozen) this.thaw();
    this.#child.kill('SIGTERM');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), graceMs);
    await this.#exited;
    clearTimeout(timer);
  }
}

/** A TCP port of 127.0.0.1 that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port was given');
  return address.port;
}

/**
 * Polls `check` until it returns a value that is neither undefined nor false. Throws when
 * `timeoutMs` have passed (with `describe()` in the message), or at once when `check` throws.
 */
export async function waitFor<T>(
  check: () => Promise<T | undefined | false> | T | undefined | false,
  options: {
    readonly timeoutMs: number;
    readonly describe: () => string;
    readonly intervalMs?: number;
  },
): Promise<T> {
  const deadline = performance.now() + options.timeoutMs;
  for (;;) {
    const value = await check();
    if (value !== undefined && value !== false) return value;
    if (performance.now() > deadline) {
      throw new Error(`not within ${String(options.timeoutMs)} ms: ${options.describe()}`);
    }
    await new Promise((resolve) => {
      setTimeout(resolve, options.intervalMs ?? 25);
    });
  }
}
