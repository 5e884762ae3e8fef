/** Search state over a feed: what is looked for, what was found so far, which match one stands at. */
import { useEffect, useMemo, useState } from 'react';
import { useSettled } from '../use-settled.ts';
import type { FeedState, OutputFeed } from './output-feed.ts';
import { type Match, mostMatches, OutputSearch } from './output-search.ts';

const restMs = 150;
const sliceMs = 12;

export interface SearchState {
  readonly query: string;
  readonly setQuery: (query: string) => void;
  readonly search: OutputSearch | undefined;
  readonly count: number;
  readonly more: boolean;
  /** Place of the current match, from 0. */
  readonly at: number;
  readonly current: Match | undefined;
  readonly step: (by: 1 | -1) => void;
}

export function useOutputSearch(feed: OutputFeed, state: FeedState): SearchState {
  const [query, setQuery] = useState('');
  const settled = useSettled(query, restMs);
  const search = useMemo(() => (settled === '' ? undefined : new OutputSearch(settled)), [settled]);
  const [place, setPlace] = useState<{ search: OutputSearch | undefined; at: number }>({
    search,
    at: 0,
  });
  const [, redraw] = useState(0);

  useEffect(() => {
    if (!search) return undefined;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const look = (): void => {
      const before = search.matches.length;
      const done = search.advance(feed.text.lines, feed.get().status === 'ended', sliceMs);
      if (search.matches.length !== before) redraw((count) => count + 1);
      if (!done) timer = setTimeout(look, 0);
    };
    look();
    return () => clearTimeout(timer);
  }, [search, feed, state.version]);

  const count = search?.matches.length ?? 0;
  const at = place.search === search ? Math.min(place.at, Math.max(0, count - 1)) : 0;
  return {
    query,
    setQuery,
    search,
    count,
    more: count >= mostMatches,
    at,
    current: search?.matches[at],
    step: (by) => {
      if (count > 0) setPlace({ search, at: (at + by + count) % count });
    },
  };
}
