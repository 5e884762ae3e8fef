/**
 * The values of the mesh's own keys: one zod schema each, JSON, with a version. What cannot be
 * parsed is treated as absent by readers that decide, and shown by readers that display.
 */
import { z } from 'zod';
import { causes, ranOutcomes } from '../history/records.ts';

const version = z.literal(1);
const revision = z.int().min(0);
const epochMs = z.int().min(0);

/** The longest session that a worker may be configured to have. */
export const longestSessionTtlSeconds = 120;
/** For how long, at most, a worker believes in a session after its last beat; absent in old values. */
const ttlSeconds = z.number().positive().optional();

/** `cluster`: the state of etcd under which the cursors were counted; see rebase.ts. */
export const clusterSchema = z.object({
  v: version,
  /** Of the mesh, for ever: what a worker remembers of another mesh says nothing about this one. */
  mesh: z.string(),
  /** etcd's own id of the cluster. */
  clusterId: z.string(),
  /** 1, and one more with every restore from a backup. */
  generation: z.int().min(1),
  /** Of this generation: two restores of one backup make two. */
  id: z.string(),
  /** Revision of the begin of the re-base that made this generation: what is older came with the backup. */
  since: revision.optional(),
  /** While the mesh is re-based: nothing is claimed. */
  rebase: z
    .object({
      /** Every cursor goes here, and no tick up to it is ever claimed again. */
      toTick: epochMs,
      /** About when the backup was made, as far as its content tells. */
      backupAt: epochMs.optional(),
      at: epochMs,
      by: z.string(),
    })
    .optional(),
});
export type ClusterValue = z.output<typeof clusterSchema>;

/** `session/<leaseId>`. */
export const sessionSchema = z.object({ v: version, worker: z.string(), ttlSeconds });
export type SessionValue = z.output<typeof sessionSchema>;

/** `workers/<id>`: registration and beat in one. */
export const workerSchema = z.object({
  v: version,
  id: z.string(),
  session: z.string(),
  sequence: z.int().min(0),
  /** The worker's wall clock when it sent this beat. */
  wallMs: epochMs,
  host: z.string(),
  version: z.string(),
  pid: z.int(),
  startedAt: epochMs,
  slots: z.int().min(0),
  running: z.int().min(0),
  /** Load averages over 1, 5 and 15 minutes. */
  load: z.array(z.number()),
  /** Worker's wall clock minus the fleet's; absent while unknown. */
  clockOffsetMs: z.number().optional(),
  /** ready: claims; draining: finishes what it has; blocked: claims nothing, for `reasons`. */
  state: z.enum(['ready', 'draining', 'blocked']),
  reasons: z.array(z.string()),
  /** History that is not in the store: what waits for it, and what it refused, set aside on disk. */
  spool: z.object({
    pendingRecords: z.int(),
    pendingBytes: z.int(),
    rejectedRecords: z.int().optional(),
    /** Why it cannot be stored now, in words. */
    trouble: z.string().optional(),
  }),
});
export type WorkerValue = z.output<typeof workerSchema>;

/** `lock/<name>/<id>`: the open fire. */
export const fireSchema = z.object({
  v: version,
  runId: z.string(),
  session: z.string(),
  /** Of that session, for who never saw the session itself. */
  ttlSeconds,
  worker: z.string(),
  jobCreate: revision,
  cause: z.enum(causes),
  tick: epochMs,
  attempt: z.int().min(1),
  group: z.string(),
  by: z.string().optional(),
  /** Number of the slot it holds, for limits above 1. */
  slot: z.int().min(0).optional(),
});
export type FireValue = z.output<typeof fireSchema>;

/** `trigger/<name>/<id>`. */
export const triggerSchema = z.object({
  v: version,
  cause: z.enum(causes),
  tick: epochMs,
  notBefore: epochMs,
  expires: epochMs,
  attempt: z.int().min(1),
  jobCreate: revision,
  by: z.string().optional(),
  /** A worker that should rather not take it: the one where the former attempt failed. */
  avoid: z.string().optional(),
});
/** How long a trigger that the mesh itself puts may wait for its turn. */
export const triggerLifeMs = 24 * 3_600_000;
export type TriggerValue = z.output<typeof triggerSchema>;

/** `done/<name>/<id>`: a decision that is not a run's own end, on its way to a spool. */
export const doneSchema = z.discriminatedUnion('outcome', [
  z.object({
    v: version,
    outcome: z.literal('lost'),
    reason: z.string(),
    at: epochMs,
    /** Who put it. */
    session: z.string(),
    fire: fireSchema,
    fireId: z.string(),
    fence: revision,
    /** A restored backup showed the fire as open: yields to any end that history knows. */
    restored: z.literal(true).optional(),
  }),
  z.object({
    v: version,
    outcome: z.enum(['skipped', 'missed']),
    reason: z.string(),
    at: epochMs,
    session: z.string(),
    cause: z.enum(causes),
    group: z.string(),
    fromTick: epochMs,
    toTick: epochMs,
    count: z.int().min(1).optional(),
    excepted: z.array(epochMs).optional(),
    /** Of a missed span: ticks in it that the calendars excluded, 10,000 for so many or more. */
    excluded: z.int().min(1).optional(),
    schedule: z.string(),
    jobCreate: revision,
    /** Put by a re-base: what ran of it after the backup was made is in history. */
    restored: z.literal(true).optional(),
    /** Id of the fire when it is a single one. */
    fireId: z.string().optional(),
  }),
]);
export type DoneValue = z.output<typeof doneSchema>;
export type LostValue = Extract<DoneValue, { outcome: 'lost' }>;
export type NotRunValue = Exclude<DoneValue, { outcome: 'lost' }>;

/** `state/<name>`: how the newest settled run of the job ended. */
export const stateSchema = z.object({
  v: version,
  outcome: z.enum(ranOutcomes),
  tick: epochMs,
  runId: z.string(),
  worker: z.string(),
  endedAt: epochMs,
  startedAt: epochMs.optional(),
  exitCode: z.int().optional(),
  reason: z.string().optional(),
});
export type StateValue = z.output<typeof stateSchema>;

/** What workers answer to an order, in its own key. */
export const orderAnswerSchema = z.object({
  /** mod revision of the order as it was given: an answer makes no new order of it. */
  order: revision,
  at: epochMs,
  /** Who wrote it. */
  worker: z.string(),
  /**
   * killing: its runs are being ended; done: none of them is open any more; nothing: there was
   * nothing to kill.
   */
  state: z.enum(['killing', 'done', 'nothing']),
  reason: z.string().optional(),
  /** The runs that it hit, with their outcome once that is known; not all of very many. */
  runs: z.array(
    z.object({ runId: z.string(), worker: z.string(), outcome: z.enum(ranOutcomes).optional() }),
  ),
});
export type OrderAnswer = z.output<typeof orderAnswerSchema>;

/** `killer/<name>[/<runId>]`: put by hand it may hold anything at all; every field is optional. */
export const orderSchema = z.object({
  by: z.string().optional(),
  graceSeconds: z.number().min(0).max(3600).optional(),
  at: epochMs.optional(),
  /** Of the mesh itself (`replace`): nobody waits for an answer. */
  own: z.boolean().optional(),
  answer: orderAnswerSchema.optional(),
});
export type OrderValue = z.output<typeof orderSchema>;

export function encodeValue(value: object): string {
  return JSON.stringify(value);
}

/** Undefined when the bytes are not JSON of that schema. */
export function decodeValue<T extends z.ZodType>(
  schema: T,
  bytes: Buffer | string,
): z.output<T> | undefined {
  let input: unknown;
  try {
    input = JSON.parse(bytes.toString());
  } catch {
    return undefined;
  }
  const parsed = schema.safeParse(input);
  return parsed.success ? parsed.data : undefined;
}
