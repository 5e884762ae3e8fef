/**
 * Writers of history in processes of their own. Run as a program, this file is one such writer:
 * `URL NAME RUNS` ingests the runs `NAME-0`... in small batches, each batch twice, says so
 * with a dot, and ends.
 */
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { writeSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import { systemClock } from '../../shared/clock.ts';
import { openHistory } from '../../shared/history/open-history.ts';
import { baseTick, ended, output, runFacts, started } from './history-samples.ts';

const batchRuns = 10;

/** Runs one writer process for each name, all at once; throws when one of them failed. */
export async function runWriters(
  url: string,
  names: readonly string[],
  runs: number,
): Promise<void> {
  await Promise.all(
    names.map(async (name) => {
      const writer = new Writer(url, name, runs);
      await writer.ended;
      if (!writer.succeeded) throw new Error(`writer ${name} failed: ${writer.errors}`);
    }),
  );
}

export class Writer {
  readonly ended: Promise<unknown>;
  readonly #child: ChildProcessByStdio<null, Readable, Readable>;
  #acknowledged = 0;
  #errors = '';

  constructor(url: string, name: string, runs: number) {
    const args = [fileURLToPath(import.meta.url), url, name, String(runs)];
    this.#child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.ended = once(this.#child, 'close');
    this.#child.stdout.on('data', (data: Buffer) => {
      this.#acknowledged += data.length * batchRuns;
    });
    this.#child.stderr.on('data', (data: Buffer) => {
      this.#errors += data.toString();
    });
  }

  /** Runs of which the store has said that it has them; every one of them must be there. */
  get acknowledged(): number {
    return this.#acknowledged;
  }

  get errors(): string {
    return this.#errors;
  }

  get succeeded(): boolean {
    return this.#child.exitCode === 0;
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.ended;
  }
}

async function write(url: string, name: string, runs: number): Promise<void> {
  const store = openHistory(url, { logger: pino({ level: 'silent' }), clock: systemClock });
  for (let first = 0; first < runs; first += batchRuns) {
    const facts = Array.from({ length: Math.min(batchRuns, runs - first) }, (_, n) =>
      runFacts(`${name}-${first + n}`, { job: name, tick: baseTick + first + n }),
    );
    const batch = facts.flatMap((run) => [
      started(run),
      output(run.runId, 0, `output of ${run.runId}\n`),
      ended(run),
    ]);
    await store.ingest(batch);
    await store.ingest(batch);
    writeSync(1, '.');
  }
  await store.stop();
}

const [program, url, name, runs] = process.argv.slice(1);
if (program === fileURLToPath(import.meta.url) && url !== undefined && name !== undefined) {
  await write(url, name, Number(runs));
}
