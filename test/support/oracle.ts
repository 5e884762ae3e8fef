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
  readonly attempt: number;
  /** Epoch ms when the run wrote it. */
  readonly atMs: number;
  readonly what: string;
}

/** A shell command that notes a run in `file`, then does `then`. */
export function noteRun(file: string, then = 'sleep 0.02', what = 'run'): string {
  return `echo "$CRON_JOB $CRON_TICK $CRON_RUN_ID $CRON_FENCE $CRON_ATTEMPT $(date +%s%3N) ${what}" >> ${file}; ${then}`;
}

/** A shell command whose run shows a sign of life every 50 ms, `signs` times. */
export function noteLife(file: string, signs: number): string {
  return `i=0; while [ $i -lt ${signs} ]; do ${noteRun(file, 'sleep 0.05', 'alive')}; i=$((i+1)); done`;
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
      const [job = '', tick, runId = '', fence, attempt, at, what = ''] = line.split(' ');
      return {
        job,
        tick: Number(tick),
        runId,
        fence: Number(fence),
        attempt: Number(attempt),
        atMs: Number(at),
        what,
      };
    });
}

/** Milliseconds for which two runs of one job showed signs of life at the same time; 0 when none did. */
export function overlapMs(lines: readonly OracleLine[]): number {
  const jobs = new Map<string, Map<string, { from: number; to: number }>>();
  for (const { job, runId, atMs } of lines) {
    const lives = jobs.get(job) ?? new Map<string, { from: number; to: number }>();
    jobs.set(job, lives);
    const life = lives.get(runId);
    if (life === undefined) lives.set(runId, { from: atMs, to: atMs });
    else life.to = Math.max(life.to, atMs);
  }
  let overlap = 0;
  for (const lives of jobs.values()) {
    let latest = -Infinity;
    for (const { from, to } of [...lives.values()].toSorted((a, b) => a.from - b.from)) {
      overlap = Math.max(overlap, latest - from);
      latest = Math.max(latest, to);
    }
  }
  return overlap;
}
