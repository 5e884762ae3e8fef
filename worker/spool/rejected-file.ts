/**
 * Where records go that the store refuses or that nobody understands: rejected.jsonl in the spool
 * directory, one JSON line each with the reason, output as base64. They are on disk before the
 * spool forgets them, and stay there for a person to look at.
 */
import { open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { HistoryRecord } from '../../shared/history/records.ts';
import type { UnknownFrame } from './log-reader.ts';
import { errnoOf, syncDirectory } from './disk.ts';

const newline = 0x0a;

export class RejectedFile {
  readonly path: string;
  #bytes = 0;
  #records = 0;
  #isLineOpen = false;

  constructor(directory: string) {
    this.path = join(directory, 'rejected.jsonl');
  }

  get bytes(): number {
    return this.#bytes;
  }

  get records(): number {
    return this.#records;
  }

  /** Looks at what an earlier life left. */
  async measure(): Promise<void> {
    try {
      const handle = await open(this.path, 'r');
      try {
        this.#bytes = 0;
        const pieces: AsyncIterable<Buffer> = handle.createReadStream({ autoClose: false });
        for await (const bytes of pieces) {
          this.#bytes += bytes.length;
          this.#records += linesIn(bytes);
          this.#isLineOpen = bytes.at(-1) !== newline;
        }
      } finally {
        await handle.close();
      }
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw error;
    }
  }

  async addRecord(record: HistoryRecord, reason: string, at: number): Promise<void> {
    const readable =
      record.kind === 'output' ? { ...record, data: record.data.toString('base64') } : record;
    await this.#add({ at, reason, record: readable });
  }

  async addUnknown(frame: UnknownFrame, at: number): Promise<void> {
    const { position, reason, body } = frame;
    await this.#add({ at, reason, position, body: body.toString('base64') });
  }

  async #add(line: unknown): Promise<void> {
    // A line that a crash cut short must not take the next one with it.
    const lead = this.#isLineOpen ? '\n' : '';
    const bytes = Buffer.from(`${lead}${JSON.stringify(line)}\n`, 'utf8');
    const handle = await open(this.path, 'a', 0o600);
    try {
      this.#isLineOpen = true;
      await handle.appendFile(bytes);
      await handle.datasync();
      this.#isLineOpen = false;
    } finally {
      await handle.close();
    }
    if (this.#bytes === 0) await syncDirectory(dirname(this.path));
    this.#bytes += bytes.length;
    this.#records += 1;
  }
}

function linesIn(bytes: Buffer): number {
  let lines = 0;
  for (let at = bytes.indexOf(newline); at >= 0; at = bytes.indexOf(newline, at + 1)) lines += 1;
  return lines;
}

/** The ids by which a person finds the record's run again. */
export function idsOf(record: HistoryRecord): Record<string, string | number> {
  switch (record.kind) {
    case 'output':
      return { kind: record.kind, job: record.job, runId: record.runId, offset: record.offset };
    case 'not-run':
      return { kind: record.kind, job: record.job, id: record.id, tick: record.toTick };
    case 'run-started':
    case 'run-ended':
    case 'run-lost': {
      const { job, runId, tick } = record.run;
      return { kind: record.kind, job, runId, tick };
    }
  }
}
