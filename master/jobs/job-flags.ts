/** What a job is at the moment, as bits, so that a column of jobs can hold it; and how many are so. */
import type { JobEntry } from '../../shared/mesh/job-entry.ts';
import type { JobParts } from '../../shared/mesh/view.ts';

export const flag = { quarantined: 1, paused: 2, running: 4, failing: 8 } as const;
export type JobFlag = keyof typeof flag;
const kinds: readonly JobFlag[] = ['quarantined', 'paused', 'running', 'failing'];

/** A run that a person killed says nothing of the job. */
const badOutcomes: ReadonlySet<string> = new Set(['failed', 'timed-out', 'lost']);

interface Parts extends Pick<JobParts, 'fires' | 'state'> {
  readonly entry: JobEntry;
}

export function flagsOf({ entry, fires, state }: Parts): number {
  let flags = entry.ok ? 0 : flag.quarantined;
  if (entry.ok && !entry.job.enabled) flags |= flag.paused;
  if (fires.size > 0) flags |= flag.running;
  const isFailing = state !== undefined && badOutcomes.has(state.value.outcome);
  if (entry.ok && isFailing) flags |= flag.failing;
  return flags;
}

export class FlagCounts {
  readonly #counts: Record<JobFlag, number> = { quarantined: 0, paused: 0, running: 0, failing: 0 };

  of(kind: JobFlag): number {
    return this.#counts[kind];
  }

  change(former: number, flags: number): void {
    if (flags === former) return;
    for (const kind of kinds) {
      const [was, is] = [former & flag[kind], flags & flag[kind]];
      if (was !== is) this.#counts[kind] += is > 0 ? 1 : -1;
    }
  }

  clear(): void {
    for (const kind of kinds) this.#counts[kind] = 0;
  }
}
