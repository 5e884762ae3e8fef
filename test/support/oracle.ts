/**
 * The oracle: a file outside the system to which the jobs themselves append one line a run. Tests
 * believe this file and not the mesh's own history. One short line is one write() in append mode, so
 * lines of different runs never mix.
 */
import { readFileSync } from 'node:fs';

export interface OracleLine {
  readonly job: string;
  readonly tick: number;
  readonly runId: string;
  readonly fence: number;
  /** Epoch ms when the run wrote it. */
  readonly atMs: number;
  readonly what: string;
}

/** A shell command that notes a run in `file`, then does `then`. */
export function noteRun(file: string, then = 'sleep 0.02', what = 'run'): string {
  return `echo "$CRON_JOB $CRON_TICK $CRON_RUN_ID $CRON_FENCE $(date +%s%3N) ${what}" >> ${file}; ${then}`;
}

export function readOracle(file: string): OracleLine[] {
  let text = '';
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    // Nothing has run yet.
  }
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [job = '', tick = '', runId = '', fence = '', at = '', what = ''] = line.split(' ');
      return { job, tick: Number(tick), runId, fence: Number(fence), atMs: Number(at), what };
    });
}

export interface Tally {
  readonly expected: number;
  readonly ran: number;
  /** (job, tick) pairs that ran more than once. */
  readonly twice: readonly string[];
  /** (job, tick) pairs that never ran. */
  readonly missing: readonly string[];
}

/** Compares what ran with every second from `fromTick` to `toTick`, both inclusive, for each job. */
export function tallySeconds(
  lines: readonly OracleLine[],
  jobs: readonly string[],
  fromTick: number,
  toTick: number,
): Tally {
  const counts = new Map<string, number>();
  for (const { job, tick, what } of lines) {
    if (what !== 'run' || tick < fromTick || tick > toTick) continue;
    counts.set(`${job}@${tick}`, (counts.get(`${job}@${tick}`) ?? 0) + 1);
  }
  const missing: string[] = [];
  let expected = 0;
  for (const job of jobs) {
    for (let tick = fromTick; tick <= toTick; tick += 1_000) {
      expected++;
      if (!counts.has(`${job}@${tick}`)) missing.push(`${job}@${tick}`);
    }
  }
  const twice = [...counts].filter(([, count]) => count > 1).map(([key]) => key);
  return { expected, ran: counts.size, twice, missing };
}
