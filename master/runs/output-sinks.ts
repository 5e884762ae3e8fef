/** How a client takes live output: as events that it can resume from, or as bytes and nothing else. */
import type { HistoryRow } from '../../shared/history/records.ts';
import type { ByteStream, EventStream } from '../http/event-stream.ts';
import type { OutputSink } from './output-feed.ts';
import type { OutputPortion, OutputStreamName } from './output-portion.ts';

class TextSink<S extends ByteStream> implements OutputSink {
  protected readonly stream: S;
  /** The one of the run's streams that is asked for; both when undefined. */
  protected readonly only: OutputStreamName | undefined;

  constructor(stream: S, only: OutputStreamName | undefined) {
    this.stream = stream;
    this.only = only;
  }

  get bufferedBytes(): number {
    return this.stream.bufferedBytes;
  }

  send(portion: OutputPortion): void {
    for (const bytes of portion.bytes(this.only)) this.stream.write(bytes);
  }

  end(_row: HistoryRow): void {
    this.stream.end();
  }

  close(): void {
    this.stream.end();
  }

  onOver(callback: () => void): void {
    this.stream.onOver(callback);
  }
}

class EventSink extends TextSink<EventStream> {
  override send(portion: OutputPortion): void {
    this.stream.write(portion.events(this.only));
  }

  override end(row: HistoryRow): void {
    this.stream.send('end', { row });
    this.stream.end();
  }
}

export function textSink(stream: ByteStream, only?: OutputStreamName): OutputSink {
  return new TextSink(stream, only);
}

/** Events `output`, and at last `end`. */
export function eventSink(stream: EventStream, only?: OutputStreamName): OutputSink {
  return new EventSink(stream, only);
}
