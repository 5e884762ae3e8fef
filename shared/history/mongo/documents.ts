/**
 * Rows and output chunks as MongoDB documents, and the update that merges a run into its document.
 * That update is an aggregation pipeline: the server compares ranks and keeps the winner of each
 * part, in one atomic step, so writers need no reading and no order. Every value goes in as
 * $literal, because in a pipeline a text that begins with "$" would be read as a field.
 */
import type { AnyBulkWriteOperation, Document } from 'mongodb';
import type { HistoryRecord, OutputChunk } from '../records.ts';
import {
  indexFieldsOf,
  rowPartsSchema,
  type NotRunParts,
  type RowParts,
  type RunParts,
} from '../row-parts.ts';

export const schemaVersion = 1;

export interface RowDocument extends Document {
  _id: string;
}

export interface ChunkDocument extends Document {
  /** `<runId>/<offset, 16 digits>`: one index finds a chunk again and keeps a run's in order. */
  _id: string;
}

type OutputRecord = Extract<HistoryRecord, { kind: 'output' }>;

/**
 * An upsert into a sharded collection must name the whole shard key. That of the rows is (job, tick),
 * which all records of a run agree on; that of the output is runId, which every chunk bears.
 */
export function rowWrite(id: string, parts: RowParts): AnyBulkWriteOperation<RowDocument> {
  if (parts.kind === 'not-run') return { insertOne: { document: notRunDocument(id, parts) } };
  const { job, tick } = parts.facts.value;
  const filter = { _id: id, job: { $eq: job }, tick: { $eq: tick } };
  return { updateOne: { filter, update: runUpdate(parts), upsert: true } };
}

export function rowPartsFrom(document: Document): RowParts | undefined {
  const parsed = rowPartsSchema.safeParse(document);
  return parsed.success ? parsed.data : undefined;
}

function notRunDocument(id: string, parts: NotRunParts): RowDocument {
  return { _id: id, schemaVersion, ...indexFieldsOf(parts), ...parts };
}

function runUpdate(parts: RunParts): Document[] {
  const { facts, startedAt, end, ownLost, verdict, restored } = parts;
  return [
    {
      $set: {
        schemaVersion: { $literal: schemaVersion },
        kind: { $literal: 'run' },
        facts: winner('facts', facts),
        ...(startedAt === undefined
          ? {}
          : { startedAt: { $min: ['$startedAt', { $literal: startedAt }] } }),
        ...(end === undefined ? {} : { end: winner('end', end) }),
        ...(ownLost === undefined ? {} : { ownLost: winner('ownLost', ownLost) }),
        ...(verdict === undefined ? {} : { verdict: winner('verdict', verdict) }),
        ...(restored === undefined ? {} : { restored: winner('restored', restored) }),
      },
    },
    {
      $set: {
        job: '$facts.value.job',
        group: '$facts.value.group',
        worker: '$facts.value.worker',
        tick: '$facts.value.tick',
        state: {
          $cond: [
            // A missing field is below null, any text above it.
            { $or: [{ $gt: ['$verdict.rank', null] }, { $gt: ['$ownLost.rank', null] }] },
            'lost',
            {
              $ifNull: [
                '$end.value.outcome',
                { $cond: [{ $gt: ['$restored.rank', null] }, 'lost', 'running'] },
              ],
            },
          ],
        },
      },
    },
  ];
}

function winner(part: string, candidate: { readonly rank: string }): Document {
  const aboveAllRanks = '~';
  return {
    $cond: [
      { $lt: [{ $literal: candidate.rank }, { $ifNull: [`$${part}.rank`, aboveAllRanks] }] },
      { $literal: candidate },
      `$${part}`,
    ],
  };
}

export function chunkDocument(record: OutputRecord): ChunkDocument {
  const { runId, job, stream, offset, at, data } = record;
  const _id = chunkId(runId, offset);
  return { _id, schemaVersion, runId, job, offset, length: data.length, stream, at, data };
}

export function chunkId(runId: string, offset: number): string {
  return `${runId}/${String(offset).padStart(16, '0')}`;
}

export function chunkFrom(document: Document): OutputChunk {
  const { offset, stream, at, data } = document as Record<string, unknown>;
  if (
    typeof offset !== 'number' ||
    typeof at !== 'number' ||
    (stream !== 'stdout' && stream !== 'stderr') ||
    !Buffer.isBuffer(data)
  ) {
    throw new TypeError(`the output chunk ${String(document['_id'])} cannot be read`);
  }
  return { offset, stream, at, data };
}
