/**
 * What broke, by the name of the invariant. The first one ends a simulation: what follows from it
 * would only hide it.
 */
import type { Story } from './story.ts';

export interface Violation {
  readonly invariant: string;
  readonly detail: string;
}

export class Violations {
  readonly list: Violation[] = [];
  readonly #story: Story;

  constructor(story: Story) {
    this.#story = story;
  }

  report(invariant: string, detail: string): void {
    this.list.push({ invariant, detail });
    this.#story.tell('!!', `VIOLATED: ${invariant}: ${detail}`);
  }
}
