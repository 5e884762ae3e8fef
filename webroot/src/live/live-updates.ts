/** Ties the live stream to the query cache: what changed is fetched again, if a room shows it. */
import type { QueryClient, QueryState } from '@tanstack/react-query';
import { keysOfTopic } from '../api/queries.ts';
import { createLiveStream, type LiveStream } from './connection.ts';

/** Lists scrolled far are fetched again page by page: the longer, the less often. */
const perPageMs = 1500;
const fewPages = 3;

function isDue({ data, dataUpdatedAt }: Pick<QueryState, 'data' | 'dataUpdatedAt'>): boolean {
  if (typeof data !== 'object' || data === null || !('pages' in data)) return true;
  const pages = Array.isArray(data.pages) ? data.pages.length : 1;
  return pages <= fewPages || Date.now() - dataUpdatedAt >= pages * perPageMs;
}

export function createLiveUpdates(queryClient: QueryClient): LiveStream {
  return createLiveStream((changed) => {
    const heads = new Set([...changed].flatMap((topic) => keysOfTopic[topic]));
    void queryClient.invalidateQueries(
      {
        predicate: ({ queryKey: [head], state }) =>
          typeof head === 'string' && heads.has(head) && isDue(state),
      },
      // A fetch under way goes on: on a busy mesh each hint would cut off the one before it.
      { cancelRefetch: false },
    );
  });
}
