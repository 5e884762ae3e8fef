/**
 * Equal texts as one: 100,000 cursors name a few thousand schedules between them. What was met recently
 * is known; the rest is kept by whoever holds it, and by nobody else.
 */
import { RecentMap } from './schedule/recent-map.ts';

const mostKnown = 20_000;
const texts = new RecentMap<string>(mostKnown);

/** The one copy of a text. */
export function intern(text: string): string {
  let one = texts.get(text);
  if (one === undefined) {
    one = ownText(text);
    texts.set(one, one);
  }
  return one;
}

/** A copy of a text, which may be a piece that keeps a longer one in memory. */
export function ownText(text: string): string {
  return Buffer.from(text).toString();
}
