/**
 * Raw output of a run turned into lines to show: two byte streams, merged as they were written, each
 * with its own decoder, colours and unfinished escape sequence. Carriage return and backspace
 * overwrite, as on a terminal, so a progress bar stays one line; other controls are shown as their
 * pictures, never acted upon. Very long lines are cut into rows, and the oldest rows go when there
 * are too many to keep.
 */
import { StyleState, type TextStyle } from './text-style.ts';

export interface Segment {
  readonly text: string;
  readonly style: TextStyle | undefined;
  readonly stderr: boolean;
}

export interface Line {
  /** Counted from 0 over the whole output, rows of a long line each on its own. */
  readonly index: number;
  /** Goes on from the row above: the line was longer than a row may be. */
  readonly continued: boolean;
  /** When its first byte was written, epoch ms. */
  readonly at: number;
  segments: readonly Segment[];
}

export type StreamName = 'stdout' | 'stderr';

const rowLength = 2000;
const mostRows = 300_000;
const rowsDroppedAtOnce = 10_000;
const longestSequence = 4096;

// oxlint-disable-next-line no-control-regex -- controls are what it looks for
const control = /[\u0000-\u001f\u007f-\u009f]/g;
// oxlint-disable-next-line no-control-regex
const csi = /\u001b\[([0-?]*)[ -/]*([@-~])/y;
// oxlint-disable-next-line no-control-regex -- OSC, DCS, SOS, PM, APC, up to BEL or ST
const stringSequence = /\u001b[\]PX^_][^\u0007\u001b]*(?:\u0007|\u001b\\)/y;
// oxlint-disable-next-line no-control-regex
const shortSequence = /\u001b[ -/]*[0-Z\\^-~]/y;

interface StreamState {
  readonly decoder: InstanceType<typeof TextDecoder>;
  readonly style: StyleState;
  /** An escape sequence whose end has not come yet. */
  pending: string;
}

export class TerminalText {
  #lines: Line[] = [];
  #dropped = 0;
  #column = 0;
  #length = 0;
  #at = 0;
  readonly #streams: Readonly<Record<StreamName, StreamState>> = {
    stdout: createStreamState(),
    stderr: createStreamState(),
  };

  /** Rows kept, oldest first; the last one may still grow. */
  get lines(): readonly Line[] {
    return this.#lines;
  }

  /** Rows that went to make room; the index of the first row kept. */
  get dropped(): number {
    return this.#dropped;
  }

  write(stream: StreamName, bytes: Uint8Array, at: number): void {
    this.#at = at;
    const state = this.#streams[stream];
    this.#feed(state.pending + state.decoder.decode(bytes, { stream: true }), stream);
  }

  /** Writes out what still waited for more bytes. */
  end(): void {
    for (const stream of ['stdout', 'stderr'] as const) {
      const state = this.#streams[stream];
      const rest = state.pending + state.decoder.decode();
      state.pending = '';
      this.#put(rest.replaceAll('\u001b', '␛'), stream);
    }
  }

  #feed(text: string, stream: StreamName): void {
    const state = this.#streams[stream];
    state.pending = '';
    let at = 0;
    while (at < text.length) {
      control.lastIndex = at;
      const found = control.exec(text);
      const end = found?.index ?? text.length;
      if (end > at) this.#put(text.slice(at, end), stream);
      if (!found) return;
      at = end + 1;
      const code = text.charCodeAt(end);
      if (code === 0x1b) {
        const after = this.#escape(text, end, stream);
        if (after === undefined) {
          state.pending = text.slice(end);
          return;
        }
        at = after;
      } else {
        this.#control(code, stream);
      }
    }
  }

  #control(code: number, stream: StreamName): void {
    switch (code) {
      case 0x0a:
        this.#newLine(false);
        return;
      case 0x0d:
        this.#column = 0;
        return;
      case 0x08:
        this.#column = Math.max(0, this.#column - 1);
        return;
      case 0x09:
        this.#put('\t', stream);
        return;
      case 0x07:
        return;
      default:
        this.#put(
          code < 0x20 ? String.fromCharCode(0x2400 + code) : code === 0x7f ? '␡' : '�',
          stream,
        );
    }
  }

  /** Where the text goes on after the sequence at `start`; undefined when its end has not come. */
  #escape(text: string, start: number, stream: StreamName): number | undefined {
    const state = this.#streams[stream];
    csi.lastIndex = start;
    const sequence = csi.exec(text);
    if (sequence) {
      const [whole, parameters = '', final = ''] = sequence;
      if (final === 'm') state.style.apply(parameters);
      else this.#edit(final, parameters, stream);
      return start + whole.length;
    }
    for (const pattern of [stringSequence, shortSequence]) {
      pattern.lastIndex = start;
      const skipped = pattern.exec(text);
      if (skipped) return start + skipped[0].length;
    }
    const rest = text.slice(start);
    // oxlint-disable-next-line no-control-regex
    const unfinished = /^\u001b(?:\[[0-?]*[ -/]*|[ -/]*|[\]PX^_][^\u0007\u001b]*\u001b?)$/.test(
      rest,
    );
    if (unfinished && rest.length < longestSequence) return undefined;
    this.#put('␛', stream);
    return start + 1;
  }

  /** The few movements within a line that progress bars are made of. */
  #edit(final: string, parameters: string, stream: StreamName): void {
    const amount = Math.min(rowLength - 1, Number(parameters.split(';')[0] ?? '') || 0);
    switch (final) {
      case 'C':
        this.#column = Math.min(rowLength - 1, this.#column + Math.max(1, amount));
        return;
      case 'D':
        this.#column = Math.max(0, this.#column - Math.max(1, amount));
        return;
      case 'G':
        this.#column = Math.max(0, amount - 1);
        return;
      case 'K':
        this.#eraseInLine(amount, stream);
        return;
      default:
    }
  }

  #eraseInLine(mode: number, stream: StreamName): void {
    const line = this.#lines.at(-1);
    if (!line) return;
    if (mode === 2) {
      line.segments = [];
      this.#length = 0;
    } else if (mode === 1) {
      const column = this.#column;
      this.#column = 0;
      this.#put(' '.repeat(column), stream);
    } else if (this.#column < this.#length) {
      line.segments = cut(line.segments, 0, this.#column);
      this.#length = this.#column;
    }
  }

  #put(text: string, stream: StreamName): void {
    let rest = text;
    while (rest !== '') {
      if (this.#column >= rowLength) this.#newLine(true);
      const line = this.#currentLine();
      let part = rest.slice(0, rowLength - this.#column);
      // Never between the halves of a surrogate pair.
      if (part.length > 1 && part.length < rest.length && /[\ud800-\udbff]$/.test(part)) {
        part = part.slice(0, -1);
      }
      const style = this.#streams[stream].style.style;
      const segment = { text: part, style, stderr: stream === 'stderr' };
      if (this.#column === this.#length) {
        line.segments = append(line.segments, segment);
      } else {
        const gap = ' '.repeat(Math.max(0, this.#column - this.#length));
        const kept = append(cut(line.segments, 0, this.#column), { ...segment, text: gap + part });
        line.segments = [...kept, ...cut(line.segments, this.#column + part.length, this.#length)];
      }
      this.#column += part.length;
      this.#length = Math.max(this.#length, this.#column);
      rest = rest.slice(part.length);
    }
  }

  #currentLine(): Line {
    return this.#lines.at(-1) ?? this.#openLine(false);
  }

  #newLine(continued: boolean): void {
    // A line feed before any text still makes a first, empty line.
    this.#currentLine();
    this.#openLine(continued);
    if (this.#lines.length > mostRows) {
      this.#lines = this.#lines.slice(rowsDroppedAtOnce);
      this.#dropped += rowsDroppedAtOnce;
    }
  }

  #openLine(continued: boolean): Line {
    const index = this.#dropped + this.#lines.length;
    const line: Line = { index, continued, at: this.#at, segments: [] };
    this.#lines.push(line);
    this.#column = 0;
    this.#length = 0;
    return line;
  }
}

export function textOfLine(line: Line): string {
  const [first, ...more] = line.segments;
  if (!first) return '';
  return more.length === 0 ? first.text : line.segments.map(({ text }) => text).join('');
}

function createStreamState(): StreamState {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  return { decoder, style: new StyleState(), pending: '' };
}

/** The new array is shared with nobody: a line that is being drawn never changes under the drawing. */
function append(segments: readonly Segment[], segment: Segment): readonly Segment[] {
  const last = segments.at(-1);
  if (last?.style === segment.style && last?.stderr === segment.stderr) {
    return [...segments.slice(0, -1), { ...last, text: last.text + segment.text }];
  }
  return [...segments, segment];
}

/** The columns [from, to) of a line. */
function cut(segments: readonly Segment[], from: number, to: number): Segment[] {
  const kept: Segment[] = [];
  let column = 0;
  for (const segment of segments) {
    const text = segment.text.slice(Math.max(0, from - column), Math.max(0, to - column));
    if (text !== '') kept.push(text === segment.text ? segment : { ...segment, text });
    column += segment.text.length;
  }
  return kept;
}
