/**
 * Finding text in output that may be large and still growing: looks at a slice of time's worth of
 * lines at once, remembers how far it got, and never looks at a line twice.
 */
import { type Line, textOfLine } from './terminal-text.ts';

export interface Match {
  /** `index` of the line. */
  readonly line: number;
  readonly start: number;
  readonly end: number;
}

export const mostMatches = 10_000;

export class OutputSearch {
  readonly #pattern: RegExp;
  readonly #matches: Match[] = [];
  readonly #byLine = new Map<number, Match[]>();
  #next = 0;

  /** `query` is plain text; case is ignored. */
  constructor(query: string) {
    this.#pattern = new RegExp(query.replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`), 'giu');
  }

  get matches(): readonly Match[] {
    return this.#matches;
  }

  ofLine(index: number): readonly Match[] {
    return this.#byLine.get(index) ?? [];
  }

  /** True when every finished line was looked at. `complete`: the last line will not grow any more. */
  advance(lines: readonly Line[], complete: boolean, budgetMs: number): boolean {
    const first = lines[0]?.index ?? 0;
    const end = complete ? lines.length : lines.length - 1;
    const stopAt = performance.now() + budgetMs;
    for (let at = Math.max(0, this.#next - first); at < end; at += 1) {
      const line = lines[at];
      if (line) this.#look(line);
      this.#next = first + at + 1;
      if (at % 256 === 0 && performance.now() > stopAt) return false;
      if (this.#matches.length >= mostMatches) return true;
    }
    return true;
  }

  #look(line: Line): void {
    const found: Match[] = [];
    for (const { index, 0: text } of textOfLine(line).matchAll(this.#pattern)) {
      found.push({ line: line.index, start: index, end: index + text.length });
    }
    if (found.length === 0) return;
    this.#byLine.set(line.index, found);
    this.#matches.push(...found);
  }
}
