/**
 * Waits for what becomes of an order to kill: what the workers answered to the order itself, and what
 * the runs tell that were open when it was given; whichever is known first. An order that nobody
 * answers is known by its runs alone.
 */
import type { QueryClient } from '@tanstack/react-query';
import { isApiError } from '../api/api-error.ts';
import { askKill, type KillTarget } from '../api/commands.ts';
import { runQuery } from '../api/queries.ts';
import type { KillOrder } from '../api/shapes.ts';
import { createKillJudge, readAnswer, type KillEnd, type Sight } from './kill-end.ts';

const lookEveryMs = 500;
const patientEveryMs = 2500;
const patientAfterMs = 15_000;
/** An order stands for four minutes at most. */
const lookForMs = 300_000;
/** With no run to end, somebody says so at once or nobody is there to. */
const emptyForMs = 10_000;

/** How each run ended; undefined when the master could not be asked for too long. */
export async function watchKill(
  queryClient: QueryClient,
  target: KillTarget,
  { orderId, runs }: KillOrder,
): Promise<readonly KillEnd[] | undefined> {
  const startedAt = performance.now();
  const judges = new Map(runs.map((id) => [id, createKillJudge(startedAt)]));
  const ends = new Map<string, KillEnd>();
  for (;;) {
    const answer = readAnswer(await askKill(target).catch(() => undefined), orderId);
    if (answer?.kind === 'nothing') return [answer];
    for (const [id, end] of answer?.runs ?? []) {
      if (end !== undefined) ends.set(id, end);
      else if (!judges.has(id)) judges.set(id, createKillJudge(performance.now()));
    }
    for (const [id, judge] of judges) {
      if (ends.has(id)) continue;
      const end = judge(await look(queryClient, id), performance.now());
      if (end !== undefined) ends.set(id, end);
    }
    const waitedMs = performance.now() - startedAt;
    const isOver = answer !== undefined || judges.size > 0 || waitedMs > emptyForMs;
    if (isOver && [...judges.keys()].every((id) => ends.has(id))) return [...ends.values()];
    if (waitedMs > lookForMs) return undefined;
    await pause(waitedMs > patientAfterMs ? patientEveryMs : lookEveryMs);
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
