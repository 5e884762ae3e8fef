/** Ties the live stream to the query cache: what changed is fetched again, if a room shows it. */
import type { QueryClient } from '@tanstack/react-query';
import { keysOfTopic } from '../api/queries.ts';
import { createLiveStream, type LiveStream } from './connection.ts';

export function createLiveUpdates(queryClient: QueryClient): LiveStream {
  return createLiveStream((changed) => {
    const heads = new Set([...changed].flatMap((topic) => keysOfTopic[topic]));
    void queryClient.invalidateQueries(
      { predicate: ({ queryKey: [head] }) => typeof head === 'string' && heads.has(head) },
      // A fetch under way goes on: on a busy mesh each hint would cut off the one before it.
      { cancelRefetch: false },
    );
  });
}
