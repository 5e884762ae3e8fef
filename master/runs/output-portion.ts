/**
 * A stretch of a run's output as it was read from the store, in the forms in which clients take it.
 * Each form is made once, however many clients stand at the same byte.
 */
import type { OutputChunk } from '../../shared/history/records.ts';
import { encodeEvent } from '../http/event-stream.ts';

export type OutputStreamName = OutputChunk['stream'];

export interface OutputPiece {
  readonly offset: number;
  readonly stream: OutputStreamName;
  readonly at: number;
  readonly base64: string;
}

export class OutputPortion {
  readonly from: number;
  /** The byte after the last one; `from` when there is nothing. */
  readonly next: number;
  /** Cut so that the first begins at `from`. */
  readonly chunks: readonly OutputChunk[];
  readonly #events = new Map<OutputStreamName | undefined, string>();

  constructor(chunks: readonly OutputChunk[], from: number) {
    const last = chunks.at(-1);
    this.from = from;
    this.next = last === undefined ? from : Math.max(from, last.offset + last.data.length);
    this.chunks = chunks.flatMap((chunk) => {
      const skipped = Math.max(0, from - chunk.offset);
      if (skipped >= chunk.data.length) return [];
      return [{ ...chunk, offset: chunk.offset + skipped, data: chunk.data.subarray(skipped) }];
    });
  }

  get isEmpty(): boolean {
    return this.next === this.from;
  }

  /** As the API gives them; `only` leaves the other stream out. */
  pieces(only?: OutputStreamName): OutputPiece[] {
    return this.#of(only).map(({ offset, stream, at, data }) => ({
      offset,
      stream,
      at,
      base64: data.toString('base64'),
    }));
  }

  /** As server-sent events, each with the byte after it as its id. */
  events(only?: OutputStreamName): string {
    let events = this.#events.get(only);
    if (events === undefined) {
      events = '';
      for (const { offset, stream, at, data } of this.#of(only)) {
        const piece: OutputPiece = { offset, stream, at, base64: data.toString('base64') };
        events += encodeEvent('output', piece, String(offset + data.length));
      }
      this.#events.set(only, events);
    }
    return events;
  }

  bytes(only?: OutputStreamName): readonly Buffer[] {
    return this.#of(only).map(({ data }) => data);
  }

  #of(only: OutputStreamName | undefined): readonly OutputChunk[] {
    return only === undefined ? this.chunks : this.chunks.filter(({ stream }) => stream === only);
  }
}
