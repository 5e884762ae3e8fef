/** Looks at the runs that an order to kill was given against, until it is known how each ended. */
import type { QueryClient } from '@tanstack/react-query';
import { isApiError } from '../api/api-error.ts';
import { runQuery } from '../api/queries.ts';
import { createKillJudge, type KillEnd, type Sight } from './kill-end.ts';

const lookEveryMs = 500;
const patientEveryMs = 2500;
const patientAfterMs = 15_000;
/** An order stands for four minutes at most. */
const lookForMs = 300_000;

/** One end for each run; undefined when the master could not be asked for too long. */
export async function watchKill(
  queryClient: QueryClient,
  runs: readonly string[],
): Promise<readonly KillEnd[] | undefined> {
  const ends = await Promise.all(runs.map((id) => endOf(queryClient, id)));
  return ends.every((end) => end !== undefined) ? ends : undefined;
}

async function endOf(queryClient: QueryClient, id: string): Promise<KillEnd | undefined> {
  const startedAt = performance.now();
  const judge = createKillJudge(startedAt);
  for (;;) {
    const sight = await look(queryClient, id);
    const now = performance.now();
    const end = judge(sight, now);
    if (end !== undefined) return end;
    if (now - startedAt > lookForMs) return undefined;
    await pause(now - startedAt > patientAfterMs ? patientEveryMs : lookEveryMs);
  }
}

async function look(queryClient: QueryClient, id: string): Promise<Sight> {
  try {
    return await queryClient.query({ ...runQuery(id), staleTime: 0, retry: false });
  } catch (error) {
    return isApiError(error, 404) ? 'gone' : undefined;
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
