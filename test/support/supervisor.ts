/**
 * The supervisor behind `npm start`, as the process a person starts: what it writes to either stream,
 * its exit code, and which processes of the machine belong to a data folder. It is asked to stop
 * when the test process dies; endAll() ends whatever still mentions its folder.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { waitFor } from './server-process.ts';

const main = path.resolve(
  path.dirname(fileURLToPath(import.meta.url)),
  '../../scripts/mesh/main.js',
);
const setpriv = ['/usr/bin/setpriv', '/bin/setpriv'].find((file) => existsSync(file));
const readyWithinMs = 60_000;

export interface Ended {
  /** Null when a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export class Supervisor {
  readonly #child: ChildProcess;
  readonly #ended: Promise<Ended>;
  stdout = '';
  stderr = '';

  constructor(args: readonly string[]) {
    const command = [process.execPath, main, ...args];
    const [program = '', ...rest] =
      setpriv === undefined ? command : [setpriv, '--pdeathsig', 'TERM', '--', ...command];
    this.#child = spawn(program, rest, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child.stdout?.on('data', (chunk: Buffer) => (this.stdout += chunk.toString('utf8')));
    this.#child.stderr?.on('data', (chunk: Buffer) => (this.stderr += chunk.toString('utf8')));
    this.#ended = new Promise((resolve, reject) => {
      this.#child.once('error', reject);
      this.#child.once('close', (code, signal) => resolve({ code, signal }));
    });
  }

  get pid(): number {
    const { pid } = this.#child;
    if (pid === undefined) throw new Error('the supervisor did not start');
    return pid;
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Resolves once it has printed its block. */
  async ready(): Promise<void> {
    await waitFor(
      () => {
        if (!this.running) throw new Error(`the supervisor ended: ${this.stderr}`);
        return this.stdout.includes('Stop       Ctrl-C');
      },
      { timeoutMs: readyWithinMs, describe: () => `its block; ${this.stdout}${this.stderr}` },
    );
  }

  ended(): Promise<Ended> {
    return this.#ended;
  }
}

export interface RunningProcess {
  readonly pid: number;
  readonly commandLine: string;
}

/** Processes whose command line or environment holds one of `marks`; not the one that asks. */
export function processesMentioning(marks: readonly string[]): RunningProcess[] {
  const found: RunningProcess[] = [];
  for (const entry of readdirSync('/proc')) {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    const commandLine = procText(pid, 'cmdline');
    const everything = `${commandLine}\n${procText(pid, 'environ')}`;
    if (marks.some((mark) => everything.includes(mark))) found.push({ pid, commandLine });
  }
  return found;
}

/** Resolves once no process holds one of `marks`. */
export async function noneMentioning(marks: readonly string[], timeoutMs = 5_000): Promise<void> {
  await waitFor(() => processesMentioning(marks).length === 0, {
    timeoutMs,
    describe: () =>
      `no process left; there are ${processesMentioning(marks)
        .map(({ pid, commandLine }) => `${String(pid)} ${commandLine}`)
        .join('\n')}`,
  });
}

/** For the end of a test, whatever its outcome. */
export async function endAll(marks: readonly string[]): Promise<void> {
  await waitFor(
    () => {
      const rest = processesMentioning(marks);
      for (const { pid } of rest) {
        try {
          process.kill(pid, 'SIGKILL');
        } catch {
          // Ended by itself in between.
        }
      }
      return rest.length === 0;
    },
    { timeoutMs: 10_000, describe: () => `the processes of ${marks.join(', ')} to end` },
  );
}

/** Empty for a zombie, for a process that has gone, and for one of another user. */
function procText(pid: number, file: 'cmdline' | 'environ'): string {
  try {
    return readFileSync(`/proc/${String(pid)}/${file}`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return '';
  }
}
