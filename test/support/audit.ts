/**
 * The audit of a mesh after a fault: every fire that must have been due, what the oracle saw of it,
 * and whether history has exactly one account that agrees. The fires are counted here by plain
 * arithmetic, so no code of the mesh is believed about what was due.
 */
import type { HistoryRow } from '../../shared/history/records.ts';
import type { TestMesh } from './mesh.ts';
import { overlapMs, readOracle, type OracleLine } from './oracle.ts';
import { waitFor } from './server-process.ts';

export interface Due {
  readonly jobs: readonly string[];
  /** First and last tick, inclusive. */
  readonly from: number;
  readonly to: number;
  readonly everyMs?: number;
  /** The jobs never overlap: how long they did is told. */
  readonly exclusive?: boolean;
}

/** Lists hold `job@tick`, the last one with what is wrong. */
export interface Audit {
  readonly expected: number;
  readonly ran: number;
  /** Attempts that the oracle saw more than once. */
  readonly twice: readonly string[];
  /** Fires that the oracle never saw. */
  readonly missing: readonly string[];
  /** Runs, begun or not, that history says were lost. */
  readonly lost: number;
  /** Of the missing ones, those that history says so of. */
  readonly missed: number;
  readonly skipped: number;
  /** Of the missing ones, those that history does not account for. */
  readonly unaccounted: readonly string[];
  readonly disagreeing: readonly string[];
  readonly overlapMs?: number;
}

const everySecondMs = 1_000;

/** Takes the jobs away and waits until etcd holds no fire and history no run without an end. */
export async function quiet(mesh: TestMesh, jobs: readonly string[]): Promise<void> {
  for (const job of jobs) await mesh.deleteKey(mesh.keys.job(job));
  const left = async (): Promise<number> => {
    const below = await Promise.all(
      ['lock/', 'slot/', 'trigger/', 'done/'].map((path) => mesh.list(path)),
    );
    return below.flat().length;
  };
  await waitFor(async () => (await left()) === 0, {
    timeoutMs: 60_000,
    intervalMs: 100,
    describe: () => 'no open fire, slot, trigger or record in etcd',
  });
  const store = await mesh.store();
  await waitFor(
    async () => (await store.listRuns({ limit: 1, outcomes: ['running'] })).items.length === 0,
    { timeoutMs: 60_000, intervalMs: 200, describe: () => 'no run without an end in history' },
  );
}

/** Audits; while something is unaccounted for or disagrees, again, for history may be on its way. */
export async function audit(mesh: TestMesh, due: Due, patienceMs = 30_000): Promise<Audit> {
  const giveUpAt = performance.now() + patienceMs;
  for (;;) {
    const found = compare(readOracle(mesh.oracle), await mesh.rows(), due);
    const isSound = found.unaccounted.length + found.disagreeing.length === 0;
    if (isSound || performance.now() > giveUpAt) return found;
    await new Promise((resolve) => {
      setTimeout(resolve, 500);
    });
  }
}

/** The oracle's first and last tick: all between were due, and are settled once a later one ran. */
export function spanOf(lines: readonly OracleLine[]): { from: number; to: number } {
  const ticks = lines.map(({ tick }) => tick);
  return { from: Math.min(...ticks), to: Math.max(...ticks) };
}

/** The first tick from which on every job that the oracle saw was there. */
export function firstCommonTick(lines: readonly OracleLine[]): number {
  const first = new Map<string, number>();
  for (const { job, tick } of lines) first.set(job, Math.min(first.get(job) ?? Infinity, tick));
  return Math.max(...first.values());
}

interface Seen {
  /** Run ids by attempt. */
  readonly attempts: Map<number, Set<string>>;
  /** Runs that noted their beginning more than once. */
  readonly begunAgain: string[];
}

export function compare(
  lines: readonly OracleLine[],
  rows: readonly HistoryRow[],
  due: Due,
): Audit {
  const seen = seenFires(lines);
  const history = new Map(due.jobs.map((job) => [job, rows.filter((row) => row.job === job)]));
  const twice: string[] = [];
  const missing: string[] = [];
  const unaccounted: string[] = [];
  const disagreeing: string[] = [];
  const counts = { expected: 0, ran: 0, lost: 0, missed: 0, skipped: 0 };
  for (const job of due.jobs) {
    const index = indexRows(history.get(job) ?? []);
    for (let tick = due.from; tick <= due.to; tick += due.everyMs ?? everySecondMs) {
      const name = `${job}@${tick}`;
      counts.expected++;
      const fire = seen.get(name);
      const runs = index.runs.get(tick) ?? [];
      const refusals = index.notRun.filter((row) => covers(row, tick));
      for (const [attempt, ids] of fire?.attempts ?? []) {
        if (ids.size > 1) twice.push(`${name} attempt ${attempt}`);
      }
      for (const runId of fire?.begunAgain ?? []) twice.push(`${name} ${runId}`);
      const problem = disagreement(fire, runs, refusals);
      if (problem !== undefined) disagreeing.push(`${name}: ${problem}`);
      counts.lost += runs.filter(({ outcome }) => outcome === 'lost').length;
      if (fire !== undefined) {
        counts.ran++;
        continue;
      }
      missing.push(name);
      const [account] = [...runs, ...refusals];
      if (account === undefined) unaccounted.push(name);
      else if (account.outcome === 'missed') counts.missed++;
      else if (account.outcome === 'skipped') counts.skipped++;
    }
  }
  return {
    ...counts,
    twice,
    missing,
    unaccounted,
    disagreeing,
    ...(due.exclusive === true
      ? { overlapMs: overlapMs(lines.filter(({ job }) => due.jobs.includes(job))) }
      : {}),
  };
}

/** What history says otherwise than the oracle, or twice; undefined when it agrees. */
function disagreement(
  fire: Seen | undefined,
  runs: readonly HistoryRow[],
  refusals: readonly HistoryRow[],
): string | undefined {
  if (runs.length > 0 && refusals.length > 0) return 'both a run and not run';
  if (refusals.length > 1) return 'accounted for twice';
  const attempts = runs.map(({ attempt }) => attempt);
  if (new Set(attempts).size < attempts.length) return 'two runs of one attempt';
  if (fire !== undefined && refusals.length > 0) return `ran, but is ${refusals[0]?.outcome}`;
  const known = new Set(runs.map(({ id }) => id));
  const ids = [...(fire?.attempts.values() ?? [])].flatMap((each) => [...each]);
  if (ids.some((id) => !known.has(id))) return 'ran, but history does not know the run';
  const imagined = runs.find((row) => row.outcome === 'succeeded' && !ids.includes(row.id));
  return imagined === undefined ? undefined : `${imagined.id} succeeded, but never ran`;
}

function seenFires(lines: readonly OracleLine[]): Map<string, Seen> {
  const seen = new Map<string, Seen>();
  const begun = new Set<string>();
  for (const { job, tick, attempt, runId, what } of lines) {
    const name = `${job}@${tick}`;
    const fire: Seen = seen.get(name) ?? { attempts: new Map(), begunAgain: [] };
    seen.set(name, fire);
    const ids = fire.attempts.get(attempt) ?? new Set<string>();
    fire.attempts.set(attempt, ids.add(runId));
    if (what !== 'run' && what !== 'begun') continue;
    if (begun.has(runId)) fire.begunAgain.push(runId);
    begun.add(runId);
  }
  return seen;
}

interface RowIndex {
  readonly runs: ReadonlyMap<number, readonly HistoryRow[]>;
  readonly notRun: readonly HistoryRow[];
}

function indexRows(rows: readonly HistoryRow[]): RowIndex {
  const runs = new Map<number, HistoryRow[]>();
  for (const row of rows) {
    if (row.kind === 'run') runs.set(row.tick, [...(runs.get(row.tick) ?? []), row]);
  }
  return { runs, notRun: rows.filter(({ kind }) => kind === 'not-run') };
}

function covers(row: HistoryRow, tick: number): boolean {
  const isInside = tick > (row.fromTick ?? Infinity) && tick <= row.tick;
  return isInside && row.excepted?.includes(tick) !== true;
}
