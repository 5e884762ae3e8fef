/**
 * How records become a row. A row is kept as parts that are independent of each other: the run's
 * facts, its start, its own end, its own word that it is lost, somebody else's verdict that it is
 * lost, and the weak verdict of a restored etcd, which yields to all of these. Each part is settled by its own rank (the smaller wins), so records can come in any
 * order, any number of times, and nothing is ever overwritten by an accident of order. What a
 * reader sees (outcome, late result) is worked out from the parts.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { notRunSchema, runEndSchema, runFactsSchema } from './record-schema.ts';
import type { HistoryRecord, HistoryRow, Outcome } from './records.ts';

const verdictSchema = z.object({ reason: z.string(), at: z.int() });
const ranked = <T extends z.ZodType>(value: T) => z.object({ rank: z.string(), value });

const runPartsSchema = z.object({
  kind: z.literal('run'),
  facts: ranked(runFactsSchema),
  startedAt: z.int().exactOptional(),
  end: ranked(runEndSchema).exactOptional(),
  /** A run-ended record whose outcome is `lost`: the worker gave its own run up. */
  ownLost: ranked(runEndSchema).exactOptional(),
  verdict: ranked(verdictSchema).exactOptional(),
  /** A restored backup of etcd showed the run as open: lost, unless anything else is known. */
  restored: ranked(verdictSchema).exactOptional(),
});
const notRunPartsSchema = z.object({ kind: z.literal('not-run'), notRun: notRunSchema });

/** What a store keeps of a row, beside the index fields that follow from it. */
export const rowPartsSchema = z.discriminatedUnion('kind', [runPartsSchema, notRunPartsSchema]);

export type RunParts = z.output<typeof runPartsSchema>;
export type NotRunParts = z.output<typeof notRunPartsSchema>;
export type RowParts = RunParts | NotRunParts;
export type RowRecord = Exclude<HistoryRecord, { kind: 'output' }>;
export type RowState = Outcome | 'running';

export interface IndexFields {
  readonly job: string;
  readonly group: string;
  readonly worker: string;
  readonly tick: number;
  readonly state: RowState;
}

function rowIdOf(record: RowRecord): string {
  return record.kind === 'not-run' ? record.id : record.run.runId;
}

function partsOf(record: RowRecord): RowParts {
  switch (record.kind) {
    case 'run-started':
      return {
        kind: 'run',
        facts: { rank: rank('0', record.run), value: record.run },
        startedAt: record.startedAt,
      };
    case 'run-ended': {
      const end = { rank: rank(paddedMs(record.end.endedAt), record.end), value: record.end };
      return {
        kind: 'run',
        facts: { rank: rank('0', record.run), value: record.run },
        ...(record.end.outcome === 'lost' ? { ownLost: end } : { end }),
      };
    }
    case 'run-lost': {
      const value = { reason: record.reason, at: record.at };
      const verdict = { rank: rank(paddedMs(record.at), value), value };
      return {
        kind: 'run',
        // Who settles a run knows less of it than its own worker, whose facts therefore win.
        facts: { rank: rank('1', record.run), value: record.run },
        ...(record.restored === true ? { restored: verdict } : { verdict }),
      };
    }
    case 'not-run': {
      const { kind: _, ...notRun } = record;
      return { kind: 'not-run', notRun };
    }
  }
}

/** `older` is what the row was before; it matters only for not-run rows, where the first wins. */
export function mergeParts(older: RowParts, newer: RowParts): RowParts {
  if (older.kind === 'not-run' || newer.kind === 'not-run') return older;
  const startedAt = Math.min(older.startedAt ?? Infinity, newer.startedAt ?? Infinity);
  const end = winner(older.end, newer.end);
  const ownLost = winner(older.ownLost, newer.ownLost);
  const verdict = winner(older.verdict, newer.verdict);
  const restored = winner(older.restored, newer.restored);
  return {
    kind: 'run',
    facts: newer.facts.rank < older.facts.rank ? newer.facts : older.facts,
    ...(Number.isFinite(startedAt) ? { startedAt } : {}),
    ...(end === undefined ? {} : { end }),
    ...(ownLost === undefined ? {} : { ownLost }),
    ...(verdict === undefined ? {} : { verdict }),
    ...(restored === undefined ? {} : { restored }),
  };
}

/** The rows that `records` make, each id once. */
export function foldRows(records: readonly RowRecord[]): Map<string, RowParts> {
  const rows = new Map<string, RowParts>();
  for (const record of records) {
    const id = rowIdOf(record);
    const known = rows.get(id);
    const parts = partsOf(record);
    rows.set(id, known === undefined ? parts : mergeParts(known, parts));
  }
  return rows;
}

export function indexFieldsOf(parts: RowParts): IndexFields {
  if (parts.kind === 'not-run') {
    const { job, group, worker, toTick, outcome } = parts.notRun;
    return { job, group, worker, tick: toTick, state: outcome };
  }
  const { job, group, worker, tick } = parts.facts.value;
  return { job, group, worker, tick, state: stateOf(parts) };
}

export function rowOf(parts: RowParts): HistoryRow {
  if (parts.kind === 'not-run') {
    const { id, job, group, outcome, cause, reason, fromTick, toTick, at, worker } = parts.notRun;
    const { count, excepted, excluded, restored } = parts.notRun;
    return {
      id,
      kind: 'not-run',
      job,
      group,
      cause,
      tick: toTick,
      outcome,
      reason,
      worker,
      endedAt: at,
      fromTick,
      ...(count === undefined ? {} : { count }),
      ...(excepted === undefined ? {} : { excepted }),
      ...(excluded === undefined ? {} : { excluded }),
      ...(restored === undefined ? {} : { restored }),
    };
  }
  const { runId, ...facts } = parts.facts.value;
  const end = parts.end?.value;
  const ownLost = parts.ownLost?.value;
  const verdict = verdictOf(parts);
  const shown = verdict === undefined ? (ownLost ?? end) : undefined;
  const startedAt = parts.startedAt ?? end?.startedAt ?? ownLost?.startedAt;
  const late = verdict === undefined ? ownLost && end : (end ?? ownLost);
  return {
    id: runId,
    kind: 'run',
    ...facts,
    ...shown,
    ...(verdict === undefined
      ? {}
      : { outcome: 'lost' as const, reason: verdict.reason, endedAt: verdict.at }),
    ...(verdict !== undefined && late === undefined ? { outputCut: true as const } : {}),
    ...(verdict !== undefined && parts.verdict === undefined ? { restored: true as const } : {}),
    ...(startedAt === undefined ? {} : { startedAt }),
    ...(late === undefined ? {} : { lateResult: late }),
  };
}

function stateOf(parts: RunParts): RowState {
  if (verdictOf(parts) !== undefined || parts.ownLost !== undefined) return 'lost';
  return parts.end?.value.outcome ?? 'running';
}

/** What others say of a run that counts as lost. */
function verdictOf(parts: RunParts): z.output<typeof verdictSchema> | undefined {
  const { verdict, restored, end, ownLost } = parts;
  if (verdict !== undefined) return verdict.value;
  return end === undefined && ownLost === undefined ? restored?.value : undefined;
}

function winner<T extends { readonly rank: string }>(
  a: T | undefined,
  b: T | undefined,
): T | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return b.rank < a.rank ? b : a;
}

/**
 * The digest makes ranks of different contents different, so that even two contradicting records
 * of the same moment merge to the same row in whatever order they come.
 */
function rank(prefix: string, value: object): string {
  const canonical = JSON.stringify(value, Object.keys(value).toSorted());
  return `${prefix}-${createHash('sha1').update(canonical).digest('hex').slice(0, 12)}`;
}

function paddedMs(ms: number): string {
  return String(ms).padStart(16, '0');
}
