/** Ties the live stream to the query cache: what changed is fetched again, if a room shows it. */
import type { QueryClient } from '@tanstack/react-query';
import { isConcerned, isDue } from './concerned.ts';
import { createLiveStream, type LiveStream } from './connection.ts';

export function createLiveUpdates(queryClient: QueryClient): LiveStream {
  return createLiveStream((changed) => {
    void queryClient.invalidateQueries(
      {
        predicate: ({ queryKey, state }) =>
          isConcerned(queryKey, state.data, changed) && isDue(state, Date.now()),
      },
      // A fetch under way goes on: on a busy mesh each hint would cut off the one before it.
      { cancelRefetch: false },
    );
  });
}
