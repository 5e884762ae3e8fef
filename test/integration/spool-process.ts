/**
 * A child process of the spool's tests, its stdout read as lines. It is ended by its own pid, and
 * what it had written before is still read after that.
 */
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import type { Readable } from 'node:stream';

/** So that a killed test leaves nothing behind, where the system has the tool for it. */
const dieWithParent = ['/usr/bin/setpriv', '/bin/setpriv']
  .filter((path) => existsSync(path))
  .slice(0, 1)
  .flatMap((path) => [path, '--pdeathsig', 'KILL', '--']);

export class SpoolProcess {
  readonly #child: ChildProcessByStdio<null, Readable, Readable>;
  readonly #closed: Promise<unknown>;
  readonly #lines: string[] = [];
  #rest = '';
  #errors = '';
  #onLine: (() => void) | undefined;

  /** `prefix` is a command to run it under. */
  constructor(program: string, parameters: unknown, prefix: readonly string[] = []) {
    const [command, ...args] = [
      ...prefix,
      ...dieWithParent,
      process.execPath,
      '--expose-gc',
      program,
      JSON.stringify(parameters),
    ];
    this.#child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#closed = once(this.#child, 'close');
    this.#child.stdout.setEncoding('utf8').on('data', (text: string) => this.#add(text));
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#errors = (this.#errors + text).slice(-10_000);
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** The first line that matches, as soon as there is one; throws when the process ends before. */
  async line(matches: (line: string) => boolean): Promise<string> {
    let ended = false;
    void this.#closed.then(() => {
      ended = true;
      this.#onLine?.();
    });
    for (;;) {
      const found = this.#lines.find(matches);
      if (found !== undefined) return found;
      if (ended) throw new Error(`the process ended: ${this.#errors}`);
      await new Promise<void>((resolve) => {
        this.#onLine = resolve;
      });
    }
  }

  /** Kills it and gives every whole line it wrote. */
  async kill(): Promise<readonly string[]> {
    this.#child.kill('SIGKILL');
    await this.#closed;
    return this.#lines;
  }

  async ended(): Promise<readonly string[]> {
    await this.#closed;
    return this.#lines;
  }

  #add(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    this.#lines.push(...lines);
    this.#onLine?.();
  }
}
