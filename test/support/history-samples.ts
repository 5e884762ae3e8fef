/**
 * History records for tests: builders with plain defaults, a shuffle that can be repeated, and the
 * whole content of a store as one comparable value.
 */
import type { HistoryStore } from '../../shared/history/port.ts';
import type { HistoryRecord, HistoryRow, RunEnd, RunFacts } from '../../shared/history/records.ts';

export const baseTick = 1_760_000_000_000;

export type OutputRecord = Extract<HistoryRecord, { kind: 'output' }>;
export type NotRunRecord = Extract<HistoryRecord, { kind: 'not-run' }>;

export function runFacts(runId: string, facts: Partial<RunFacts> = {}): RunFacts {
  return {
    runId,
    job: 'backup',
    group: 'default',
    cause: 'tick',
    tick: baseTick,
    fireId: `t${facts.tick ?? baseTick}`,
    attempt: 1,
    worker: 'w1',
    fence: 42,
    command: 'backup --all',
    ...facts,
  };
}

export function runEnd(end: Partial<RunEnd> = {}): RunEnd {
  return {
    outcome: 'succeeded',
    startedAt: baseTick + 20,
    endedAt: baseTick + 500,
    exitCode: 0,
    outputBytes: 12,
    outputTruncated: false,
    ...end,
  };
}

export function started(run: RunFacts, startedAt = run.tick + 20): HistoryRecord {
  return { kind: 'run-started', run, startedAt };
}

export function ended(run: RunFacts, end: Partial<RunEnd> = {}): HistoryRecord {
  return { kind: 'run-ended', run, end: runEnd({ startedAt: run.tick + 20, ...end }) };
}

export function lost(run: RunFacts, reason = 'its worker vanished'): HistoryRecord {
  return { kind: 'run-lost', run, reason, at: run.tick + 9000 };
}

/** The weak verdict that a restored backup of etcd brings about. */
export function lostInRestore(run: RunFacts): HistoryRecord {
  const reason = 'etcd was restored from a backup';
  return { kind: 'run-lost', run, reason, at: run.tick + 8000, restored: true };
}

export function output(
  runId: string,
  offset: number,
  data: Buffer | string,
  rest: Partial<OutputRecord> = {},
): HistoryRecord {
  return {
    kind: 'output',
    runId,
    job: 'backup',
    stream: 'stdout',
    offset,
    at: baseTick + offset,
    data: typeof data === 'string' ? Buffer.from(data) : data,
    ...rest,
  };
}

export function notRun(id: string, rest: Partial<NotRunRecord> = {}): HistoryRecord {
  return {
    kind: 'not-run',
    id,
    job: 'backup',
    group: 'default',
    outcome: 'missed',
    cause: 'tick',
    reason: 'no worker was there',
    fromTick: baseTick - 10_000,
    toTick: baseTick,
    count: 10,
    schedule: '* * * * * * UTC -',
    at: baseTick + 3000,
    worker: 'w2',
    ...rest,
  };
}

/** A day's mixture: all kinds of record, all outcomes, late results, lost runs, missed spans. */
export function mixture(runs: number): HistoryRecord[] {
  const outcomes = ['succeeded', 'failed', 'killed', 'timed-out', 'lost'] as const;
  const records: HistoryRecord[] = [];
  for (let n = 0; n < runs; n += 1) {
    const run = runFacts(`run-${n}`, {
      job: `job-${n % 7}`,
      tick: baseTick + Math.floor(n / 3) * 1000,
      worker: `w${n % 4}`,
      fence: n,
    });
    const outcome = outcomes[n % outcomes.length] ?? 'succeeded';
    records.push(started(run), output(run.runId, 0, `line ${n}\n`));
    if (n % 3 === 0) records.push(output(run.runId, 100, Buffer.alloc(50, n)));
    if (n % 11 !== 0) records.push(ended(run, { outcome }));
    if (n % 6 === 0) records.push(lost(runFacts(run.runId, { ...run, command: '', group: '-' })));
    // What no worker should send, and no order may decide: a second, other end and verdict.
    if (n % 9 === 0) records.push(ended(run, { outcome: 'failed', exitCode: n }));
    if (n % 12 === 0) records.push(lost(run, 'another said so'));
    if (n % 8 === 0) records.push(lostInRestore(run));
    if (n % 10 === 0) records.push(notRun(`span-${n}`, { toTick: run.tick, job: run.job }));
  }
  return records;
}

/** mulberry32: the same order for the same seed. */
export function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function shuffled<T>(items: readonly T[], random: () => number): T[] {
  const result = [...items];
  for (let last = result.length - 1; last > 0; last -= 1) {
    const other = Math.floor(random() * (last + 1));
    const [a, b] = [result[last], result[other]];
    if (a !== undefined && b !== undefined) [result[last], result[other]] = [b, a];
  }
  return result;
}

/** Every row, page by page. */
export async function allRows(store: HistoryStore, pageRows = 1000): Promise<HistoryRow[]> {
  const rows: HistoryRow[] = [];
  let cursor: string | undefined;
  do {
    const page = await store.listRuns({
      limit: pageRows,
      order: 'asc',
      ...(cursor === undefined ? {} : { cursor }),
    });
    rows.push(...page.items);
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  return rows;
}

/** All kept output of a run, read in windows of `windowBytes`. */
export async function allOutput(
  store: HistoryStore,
  runId: string,
  windowBytes = 64 * 1024,
): Promise<Buffer> {
  const parts: Buffer[] = [];
  for (let next = 0; ;) {
    const chunks = await store.readOutput(runId, next, windowBytes);
    const last = chunks.at(-1);
    if (last === undefined) return Buffer.concat(parts);
    parts.push(...chunks.map(({ data }) => data));
    next = Math.max(next + 1, last.offset + last.data.length);
  }
}

/** Rows by id and output of `runIds`: equal for stores that hold the same history. */
export async function contentOf(
  store: HistoryStore,
  runIds: readonly string[],
): Promise<{ rows: HistoryRow[]; output: Map<string, string> }> {
  const kept = new Map<string, string>();
  for (const runId of runIds) kept.set(runId, (await allOutput(store, runId)).toString('hex'));
  return { rows: await allRows(store), output: kept };
}
