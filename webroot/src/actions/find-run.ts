/** The run that a trigger became, once a worker has claimed it. */
import { queryString, request } from '../api/client.ts';
import type { RunList } from '../api/shapes.ts';

const lookEveryMs = 400;
const lookForMs = 8000;
const recentRuns = 30;

/** Undefined when none has claimed it in a few seconds. */
export async function findRunOf(job: string, triggerId: string): Promise<string | undefined> {
  const giveUpAt = performance.now() + lookForMs;
  const query = queryString([
    ['job', job],
    ['limit', recentRuns],
  ]);
  for (;;) {
    const { items } = await request<RunList>(`/runs${query}`);
    const run = items.find(({ fireId }) => fireId === triggerId);
    if (run) return run.id;
    if (performance.now() > giveUpAt) return undefined;
    await new Promise((resolve) => {
      setTimeout(resolve, lookEveryMs);
    });
  }
}
