/** `executor-worker.ts` as a child: orders to it, what it says, and its violent end. */
import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { RunSpec } from '../../worker/executor/port.ts';
import { createSpec, now, waitUntil } from './executor-rig.ts';

export interface WorkerEvent {
  event: string;
  tag?: string;
  pid?: number;
  bytes?: number;
  inOrder?: boolean;
  result?: { endedBy: string; exitCode?: number; outputBytes: number };
}

export interface ExecutorProcessOptions {
  /** A descriptor that is left open to it. */
  readonly stray?: { readonly file: number; readonly as: number };
  readonly openRunsPath?: string;
}

export class ExecutorProcess {
  readonly #child: ChildProcess;
  readonly events: WorkerEvent[] = [];

  constructor(options: ExecutorProcessOptions = {}) {
    const path = fileURLToPath(new URL('executor-worker.js', import.meta.url));
    const stdio: StdioOptions = ['pipe', 'pipe', 'inherit'];
    if (options.stray !== undefined) {
      // With a gap before it, which Node does not look beyond when it closes what it was left.
      while (stdio.length < options.stray.as) stdio.push('ignore');
      stdio.push(options.stray.file);
    }
    const { openRunsPath } = options;
    const args = openRunsPath === undefined ? [path] : [path, openRunsPath];
    this.#child = spawn(process.execPath, args, { stdio });
    if (this.#child.stdout === null) throw new Error('no stdout');
    createInterface({ input: this.#child.stdout }).on('line', (line) => {
      this.events.push(JSON.parse(line) as WorkerEvent);
    });
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error('the worker did not start');
    return this.#child.pid;
  }

  setDeadline(deadline: number): void {
    this.#child.stdin?.write(`${JSON.stringify({ deadline })}\n`);
  }

  order(tag: string, command: string, overrides: Partial<RunSpec>, startBy: number): void {
    const order = { run: createSpec(command, overrides), tag, startBy };
    this.#child.stdin?.write(`${JSON.stringify(order)}\n`);
  }

  /** Resolves with the pid of its shell. */
  async run(tag: string, command: string, overrides: Partial<RunSpec> = {}): Promise<number> {
    this.order(tag, command, overrides, now() + 10_000);
    return (await this.event('started', tag)).pid ?? 0;
  }

  async event(name: string, tag?: string): Promise<WorkerEvent> {
    const find = (): WorkerEvent | undefined =>
      this.events.find((event) => event.event === name && event.tag === tag);
    await waitUntil(`${name} ${tag ?? ''}`, () => find() !== undefined, 20_000);
    const event = find();
    if (event === undefined) throw new Error('unreachable');
    return event;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exited;
  }
}
