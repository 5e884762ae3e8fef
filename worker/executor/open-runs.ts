/**
 * A file that knows which runs this worker has open, for its next life: a line `+<runId> <job>`
 * before a run is given to the guardian, `-<runId>` when it is over. It tells a run that a crash
 * left behind from a daemon that an ended run left on purpose. Nothing is flushed to the disk: after
 * the machine itself went down there is nothing to find. Without the file, and where it cannot be
 * written, runs go on all the same.
 */
import { closeSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import type { Logger } from '../../shared/log.ts';

/** A file of this size is written anew with what is open only. */
const compactBytes = 256 * 1024;
const linePattern = /^([+-])([^\s]{1,100})(?: (.*))?$/;

export class OpenRuns {
  readonly #path: string | undefined;
  readonly #logger: Logger;
  readonly #open = new Map<string, string>();
  #descriptor: number | undefined;
  #bytes = 0;
  /** The last line may be torn: the file is written anew next time. */
  #isInTrouble = false;
  #isStopped = false;

  constructor(path: string | undefined, logger: Logger) {
    this.#path = path;
    this.#logger = logger;
  }

  /** Reads what a former life left open, by run id with the job's name; that stays open here. */
  start(): ReadonlyMap<string, string> {
    if (this.#path === undefined) return new Map();
    for (const [runId, job] of readOpen(this.#path)) this.#open.set(runId, job);
    this.#attempt(() => this.#writeAnew());
    return new Map(this.#open);
  }

  add(runId: string, job: string): void {
    this.#open.set(runId, job);
    this.#append(`+${runId} ${job}\n`);
  }

  remove(runId: string): void {
    if (this.#open.delete(runId)) this.#append(`-${runId}\n`);
  }

  stop(): void {
    this.#isStopped = true;
    this.#close();
  }

  #append(line: string): void {
    if (this.#path === undefined || this.#isStopped) return;
    this.#attempt(() => {
      const isWhole = this.#descriptor !== undefined && !this.#isInTrouble;
      if (!isWhole || this.#bytes > compactBytes) this.#writeAnew();
      else if (this.#descriptor !== undefined) this.#bytes += writeSync(this.#descriptor, line);
    });
  }

  #writeAnew(): void {
    if (this.#path === undefined) return;
    this.#close();
    const path = `${this.#path}.new`;
    this.#descriptor = openSync(path, 'w', 0o600);
    const text = [...this.#open].map(([runId, job]) => `+${runId} ${job}\n`).join('');
    this.#bytes = writeSync(this.#descriptor, text);
    renameSync(path, this.#path);
  }

  #close(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }

  #attempt(work: () => void): void {
    try {
      work();
      this.#isInTrouble = false;
    } catch (error) {
      if (!this.#isInTrouble) {
        this.#logger.warn({ err: error }, 'open runs cannot be noted; a crash would leave them');
      }
      this.#isInTrouble = true;
    }
  }
}

function readOpen(path: string): Map<string, string> {
  const open = new Map<string, string>();
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return open;
  }
  for (const line of text.split('\n')) {
    const [, sign, runId, job = ''] = linePattern.exec(line) ?? [];
    if (runId === undefined) continue;
    if (sign === '+') open.set(runId, job);
    else open.delete(runId);
  }
  return open;
}
