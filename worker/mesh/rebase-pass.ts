/**
 * What a re-base has to do, from the view alone: the cursors that are not yet at its tick, and the
 * triggers and open fires that the backup held. Each becomes one transaction; those that somebody else
 * was quicker with fail their guards.
 */
import type { ClusterEntry, JobParts, MeshView } from '../../shared/mesh/view.ts';
import { isCounting } from '../../shared/protocol/cursor.ts';
import type { Txn } from '../../shared/etcd/port.ts';
import type { Keys } from '../../shared/protocol/keys.ts';
import {
  rebaseCursor,
  refuseRestoredTrigger,
  settleRestoredFire,
} from '../../shared/protocol/rebase.ts';
import type { ClusterValue } from '../../shared/protocol/values.ts';

export interface PassOptions {
  readonly keys: Keys;
  readonly view: MeshView;
  readonly cluster: ClusterEntry & { readonly value: ClusterValue };
  readonly nowMs: number;
  readonly session: string;
  /** The sessions of before must have ended: what is open of them is settled, too. */
  readonly isOver: boolean;
}

export interface Leftover {
  readonly name: string;
  readonly txn: Txn;
}

/** At most `limit` of what is left to do. */
export function rebaseLeftovers(options: PassOptions, limit: number): Leftover[] {
  const found: Leftover[] = [];
  for (const part of options.view.snapshot.parts.values()) {
    for (const txn of leftoversOf(part, options)) {
      found.push({ name: part.name, txn });
      if (found.length >= limit) return found;
    }
  }
  return found;
}

function* leftoversOf(part: JobParts, options: PassOptions): Generator<Txn, void> {
  const { keys, cluster, nowMs, session } = options;
  const { rebase } = cluster.value;
  if (rebase === undefined) return;
  const { name, entry } = part;
  const restored = restoredWords(rebase.backupAt);
  const common = {
    keys,
    name,
    clusterRaw: cluster.raw,
    nowMs,
    session,
    group: entry?.ok === true ? entry.job.group : 'default',
  };
  const cursor = part.cursor?.cursor;
  if (part.cursor !== undefined && cursor !== undefined && isCounting(cursor)) {
    if (cursor.tick < rebase.toTick) {
      yield rebaseCursor({
        ...common,
        reason: `${restored}; what ran in this time is in history`,
        jobCreateRevision: entry?.createRevision ?? 0,
        cursorRaw: part.cursor.raw,
        toTick: rebase.toTick,
      });
    }
  }
  for (const [triggerId, trigger] of part.triggers) {
    // What was put since then is of this state; what was not due yet cannot have fired before.
    const isOld = trigger.createRevision < cluster.modRevision;
    if (!isOld || trigger.value.notBefore > rebase.toTick) continue;
    yield refuseRestoredTrigger({
      ...common,
      reason: `${restored}; it may have run since`,
      triggerId,
      trigger: trigger.value,
      triggerModRevision: trigger.modRevision,
      schedule: cursor?.schedule ?? '-',
    });
  }
  if (!options.isOver) return;
  for (const [fireId, fire] of part.fires) {
    if (fire.createRevision >= cluster.modRevision) continue;
    yield settleRestoredFire({
      ...common,
      reason: `${restored}; how this run ended is not known`,
      fireId,
      fire: fire.value,
      fireModRevision: fire.modRevision,
      fence: fire.createRevision,
    });
  }
}

export function restoredWords(backupAt: number | undefined): string {
  const when = backupAt === undefined ? '' : ` of about ${new Date(backupAt).toISOString()}`;
  return `etcd was restored from a backup${when}`;
}

/**
 * About when the state that the view shows was left: the newest time that was noted in it. Of
 * registrations only those count that were there then: up to the first revision that was heard of it,
 * and of workers that had been started before anything else in it happened last.
 */
export function newestTime(
  view: MeshView,
  upToRevision: number,
  nowMs: number,
): number | undefined {
  const { parts, workers } = view.snapshot;
  let moved = 0;
  for (const { state, cursor } of parts.values()) {
    for (const atMs of [state?.value.endedAt ?? 0, cursor?.cursor?.tick ?? 0]) {
      if (atMs <= nowMs) moved = Math.max(moved, atMs);
    }
  }
  let newest = moved;
  for (const { value, modRevision } of workers.values()) {
    const wasThere = modRevision <= upToRevision && (moved === 0 || value.startedAt <= moved);
    if (wasThere && value.wallMs <= nowMs) newest = Math.max(newest, value.wallMs);
  }
  return newest === 0 ? undefined : newest;
}
