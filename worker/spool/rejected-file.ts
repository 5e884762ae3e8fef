/**
 * Where records go that the store refuses or that nobody understands: rejected.jsonl in the spool
 * directory, one JSON line each with the reason, output as base64. They are on disk before the
 * spool forgets them, and stay there for a person to look at.
 */
import { open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { HistoryRecord } from '../../shared/history/records.ts';
import type { UnknownFrame } from './log-reader.ts';

export class RejectedFile {
  readonly path: string;
  #bytes = 0;

  constructor(directory: string) {
    this.path = join(directory, 'rejected.jsonl');
  }

  get bytes(): number {
    return this.#bytes;
  }

  async measure(): Promise<void> {
    try {
      this.#bytes = (await stat(this.path)).size;
    } catch {
      this.#bytes = 0;
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
    const bytes = Buffer.from(`${JSON.stringify(line)}\n`, 'utf8');
    const handle = await open(this.path, 'a', 0o600);
    try {
      await handle.appendFile(bytes);
      await handle.datasync();
    } finally {
      await handle.close();
    }
    this.#bytes += bytes.length;
  }
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
