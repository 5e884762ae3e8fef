/**
 * Every guard of every transaction, and every other rule that can be taken out from outside the code:
 * one mutant each. A guard is taken out of the transactions as the server applies them, so that the
 * code under test stays as it is.
 */
import type { Compare, Op, OpResult, Txn } from '../../shared/etcd/port.ts';
import type { EtcdStore } from './etcd-store.ts';
import type { Mutation } from './mutation.ts';

export interface Mutant {
  readonly transaction: string;
  readonly guard: string;
  /** A new one for every simulation. */
  readonly create: () => Mutation;
}

const folders = [
  'jobs',
  'cursor',
  'session',
  'workers',
  'lock',
  'slot',
  'trigger',
  'once',
  'killer',
  'calendars',
  'done',
  'state',
];

function folderOf(key: string): string {
  if (key === '/cron/cluster') return 'cluster';
  return folders.find((folder) => key.startsWith(`/cron/${folder}/`)) ?? '';
}

interface Shape {
  readonly puts: ReadonlySet<string>;
  readonly deletes: ReadonlySet<string>;
  readonly guards: ReadonlySet<string>;
  readonly putKeys: readonly string[];
}

function shapeOf(txn: Txn): Shape {
  const putKeys = txn.success.flatMap((op) => ('put' in op ? [op.put.key] : []));
  const deleted = txn.success.flatMap((op) => ('delete' in op ? [op.delete.key] : []));
  return {
    puts: new Set(putKeys.map(folderOf)),
    deletes: new Set(deleted.map(folderOf)),
    guards: new Set(txn.compare.map(({ key }) => folderOf(key))),
    putKeys,
  };
}

/** The name of a transaction by what it does; '' for reads and what is put by hand. */
export function nameOf(txn: Txn): string {
  const { puts, deletes, guards, putKeys } = shapeOf(txn);
  const has = (guard: string): boolean => guards.has(guard);
  if (has('cluster') && !puts.has('workers')) return nameOfRebase(txn, puts, deletes);
  if (puts.has('lock')) {
    if (puts.has('cursor')) return 'claimTick';
    return deletes.has('trigger') ? 'claimTrigger' : 'reownFire';
  }
  if (deletes.has('lock')) {
    if (!puts.has('done')) return 'completeRun';
    if (!putKeys.some((key) => key.includes('/lost-'))) return 'giveUpFire';
    const session = txn.compare.find(({ key }) => folderOf(key) === 'session');
    return session?.op === '=' ? 'settleVanished' : 'settleLateClaim';
  }
  if (deletes.has('slot')) return txn.compare[0]?.target === 'mod' ? 'freeSlot' : '';
  if (deletes.has('cursor')) return 'sweepTombstone';
  if (deletes.has('trigger')) return 'refuseTrigger';
  if (puts.has('jobs') || deletes.has('jobs')) return has('jobs') ? 'editJob' : '';
  if (puts.has('cursor')) {
    if (!has('session')) return 'adoptJob';
    if (!has('lock')) {
      const isPassedOver = putKeys.some((key) => key.includes('/skipped-'));
      return isPassedOver && !puts.has('trigger') ? 'skipExcluded' : 'writeOff';
    }
    return putKeys.some((key) => /\/trigger\/[^/]+\/q/.test(key)) ? 'queueTick' : 'refuseOverlap';
  }
  if (has('calendars')) return puts.has('calendars') ? 'putCalendar' : 'deleteCalendar';
  if (puts.has('once')) return 'requestTrigger';
  if (puts.has('session')) return 'session begins';
  if (puts.has('workers')) return 'session beats';
  if (puts.has('killer') && has('lock')) return 'orderKill';
  const order = txn.compare.find(({ key }) => folderOf(key) === 'killer');
  if (order?.target === 'mod') return puts.has('killer') ? 'answerOrder' : 'dropOrder';
  if (deletes.has('done')) return 'forgetDone';
  return '';
}

/** Of those that are guarded by the cluster record. */
function nameOfRebase(
  { compare, success }: Txn,
  puts: ReadonlySet<string>,
  deletes: ReadonlySet<string>,
): string {
  const [first] = success;
  if (puts.has('cluster') && first !== undefined && 'put' in first) {
    if (first.put.value.includes('"rebase"')) return 'beginRebase';
    return compare[0]?.target === 'value' ? 'endRebase' : 'recordCluster';
  }
  if (puts.has('cursor')) return 'rebaseCursor';
  if (deletes.has('trigger')) return 'refuseRestoredTrigger';
  return deletes.has('lock') ? 'settleRestoredFire' : 'underCluster';
}

/** Applies `change` to every transaction of that name, however deep it is nested. */
function altering(name: string, change: (txn: Txn) => Txn): Mutation {
  const alter = (txn: Txn): Txn => {
    const deep = (op: Op): Op => ('txn' in op ? { txn: alter(op.txn) } : op);
    const isLeaf = nameOf(txn) === name;
    const result = isLeaf ? change(txn) : txn;
    return { ...result, success: result.success.map(deep), failure: result.failure.map(deep) };
  };
  return { alter };
}

function without(transaction: string, guard: string, isIt: (compare: Compare) => boolean): Mutant {
  return {
    transaction,
    guard,
    create: () =>
      altering(transaction, (txn) => ({
        ...txn,
        compare: txn.compare.filter((compare) => !isIt(compare)),
      })),
  };
}

/** Of a transaction that guards several sessions, the first is the decider's own. */
function withoutSessions(transaction: string, whose: 'own' | 'holders'): Mutant {
  const guard = whose === 'own' ? 'own session alive' : 'session of every holder alive';
  return changed(transaction, guard, (txn) => {
    const own = txn.compare.find(on('session'));
    const isKept = (compare: Compare): boolean =>
      !on('session')(compare) || (compare === own) !== (whose === 'own');
    return { ...txn, compare: txn.compare.filter(isKept) };
  });
}

const on =
  (folder: string, target?: Compare['target']) =>
  (compare: Compare): boolean =>
    folderOf(compare.key) === folder && (target === undefined || compare.target === target);

const isRange = (compare: Compare): boolean => compare.rangeEnd !== undefined;

function changed(transaction: string, guard: string, change: (txn: Txn) => Txn): Mutant {
  return { transaction, guard, create: () => altering(transaction, change) };
}

function rule(transaction: string, guard: string, mutation: Mutation): Mutant {
  return { transaction, guard, create: () => mutation };
}

/** The cursor that an edit or an adoption puts keeps the tick that it had. */
function keepTick(txn: Txn): Txn {
  const seen = txn.compare.find(on('cursor', 'value'));
  if (seen === undefined) return txn;
  const tick = String(seen.value).slice(0, 16);
  return {
    ...txn,
    success: txn.success.map((op) =>
      'put' in op && folderOf(op.put.key) === 'cursor'
        ? { put: { ...op.put, value: tick + op.put.value.toString().slice(16) } }
        : op,
    ),
  };
}

/** A deleted job takes its cursor along. */
function dropTombstone(txn: Txn): Txn {
  return {
    ...txn,
    success: txn.success.map((op) =>
      'put' in op && op.put.value.toString().endsWith(' x') ? { delete: { key: op.put.key } } : op,
    ),
  };
}

function dropPut(folder: string): (txn: Txn) => Txn {
  return (txn) => ({
    ...txn,
    success: txn.success.filter((op) => !('put' in op) || folderOf(op.put.key) !== folder),
  });
}

/** What is nested in it is done whatever its guards say. */
function alwaysPutState(txn: Txn): Txn {
  return { ...txn, success: txn.success.flatMap((op) => ('txn' in op ? op.txn.success : [op])) };
}

/** The answer makes a new order of the old one. */
function makeNewOrder(txn: Txn): Txn {
  return {
    ...txn,
    success: txn.success.map((op) => {
      if (!('put' in op)) return op;
      const value = JSON.parse(op.put.value.toString()) as { answer: object };
      const answer = { ...value.answer, order: Number.MAX_SAFE_INTEGER };
      return { put: { ...op.put, value: JSON.stringify({ ...value, answer }) } };
    }),
  };
}

/** The session's key says that its owner believes in it for a second. */
function tellShortTtl(txn: Txn): Txn {
  return {
    ...txn,
    success: txn.success.map((op) =>
      'put' in op && folderOf(op.put.key) === 'session'
        ? { put: { ...op.put, value: shortTtl(op.put.value) } }
        : op,
    ),
  };
}

function shortTtl(value: string | Buffer): string {
  return JSON.stringify({ ...(JSON.parse(value.toString()) as object), ttlSeconds: 1 });
}

/** What is put, with a part of its JSON taken out. */
function withoutField(folder: string, field: string): (txn: Txn) => Txn {
  return (txn) => ({
    ...txn,
    success: txn.success.map((op) => {
      if (!('put' in op) || folderOf(op.put.key) !== folder) return op;
      const { [field]: _, ...rest } = JSON.parse(op.put.value.toString()) as Record<
        string,
        unknown
      >;
      return { put: { ...op.put, value: JSON.stringify(rest) } };
    }),
  });
}

/** Who reads a fire and its definition again before a start is told what was so at the claim. */
function answerFromThePast(etcd: EtcdStore): void {
  const claimed = new Map<string, readonly OpResult[]>();
  etcd.onCommit(({ events }) => {
    for (const { key, kv, previous } of events) {
      if (folderOf(key) !== 'lock' || kv === undefined || previous !== undefined) continue;
      const job = etcd.get(`/cron/jobs/${key.split('/')[3] ?? ''}`);
      claimed.set(key, [
        { kind: 'get', kvs: [kv], count: 1 },
        { kind: 'get', kvs: job === undefined ? [] : [job], count: 1 },
      ]);
    }
  });
  const txn = etcd.txn.bind(etcd);
  etcd.txn = (request) => {
    const [fire, job] = request.success;
    const isConfirmation =
      request.success.length === 2 && isGet(fire, 'lock') && isGet(job, 'jobs');
    const past = isConfirmation ? claimed.get(fire.get.key) : undefined;
    if (past === undefined) return txn(request);
    return { succeeded: true, revision: etcd.revision, results: past };
  };
}

function isGet(op: Op | undefined, folder: string): op is Extract<Op, { get: unknown }> {
  return op !== undefined && 'get' in op && folderOf(op.get.key) === folder;
}

export const mutants: readonly Mutant[] = [
  without('session begins', 'no such session key', on('session')),
  without('session beats', 'session key is there', on('session')),
  without('claimTick', 'definition as scheduled from', on('jobs')),
  without('claimTick', 'cursor exactly as seen', on('cursor')),
  without('claimTick', 'no fire at all (limit 1)', (c) => on('lock')(c) && isRange(c)),
  without('claimTick', 'this fire not there (other limits)', (c) => on('lock')(c) && !isRange(c)),
  without('claimTick', 'slot is free (limit n)', on('slot')),
  without('claimTick', 'session alive', on('session')),
  without('claimTick', 'calendars as they allowed it', on('calendars')),
  changed('claimTick', 'else-read: the fire is mine', (txn) => ({ ...txn, failure: [] })),
  without('claimTrigger', 'definition as scheduled from', on('jobs')),
  without('claimTrigger', 'trigger exactly as seen', on('trigger')),
  without('claimTrigger', 'no fire at all (limit 1)', (c) => on('lock')(c) && isRange(c)),
  without(
    'claimTrigger',
    'this fire not there (other limits)',
    (c) => on('lock')(c) && !isRange(c),
  ),
  without('claimTrigger', 'slot is free (limit n)', on('slot')),
  without('claimTrigger', 'session alive', on('session')),
  changed('claimTrigger', 'else-read: the fire is mine', (txn) => ({ ...txn, failure: [] })),
  without('refuseTrigger', 'trigger as seen', on('trigger')),
  without('refuseTrigger', 'session alive', on('session')),
  without('refuseTrigger', 'what made it so', on('jobs')),
  without('writeOff', 'definition as scheduled from', on('jobs')),
  without('writeOff', 'cursor exactly as seen', on('cursor')),
  without('writeOff', 'session alive', on('session')),
  without('writeOff', 'calendars as decided by', on('calendars')),
  without('skipExcluded', 'definition as scheduled from', on('jobs')),
  without('skipExcluded', 'cursor exactly as seen', on('cursor')),
  without('skipExcluded', 'session alive', on('session')),
  without('skipExcluded', 'calendars as decided by', on('calendars')),
  without('refuseOverlap', 'definition as scheduled from', on('jobs')),
  without('refuseOverlap', 'cursor exactly as seen', on('cursor')),
  withoutSessions('refuseOverlap', 'own'),
  withoutSessions('refuseOverlap', 'holders'),
  without('refuseOverlap', 'every holder’s fire as seen', on('lock')),
  without('refuseOverlap', 'calendars as decided by', on('calendars')),
  without('queueTick', 'definition as scheduled from', on('jobs')),
  without('queueTick', 'cursor exactly as seen', on('cursor')),
  withoutSessions('queueTick', 'own'),
  withoutSessions('queueTick', 'holders'),
  without('queueTick', 'every holder’s fire as seen', on('lock')),
  without('queueTick', 'no trigger waits', on('trigger')),
  without('queueTick', 'calendars as decided by', on('calendars')),
  without('completeRun', 'fire as claimed or re-owned', on('lock')),
  changed('completeRun', 'state only while the job lives', alwaysPutState),
  without('giveUpFire', 'fire as claimed or re-owned', on('lock')),
  without('settleVanished', 'fire as seen', on('lock')),
  without('settleVanished', 'its session gone', on('session')),
  changed('settleVanished', 'state only while the job lives', alwaysPutState),
  without('settleLateClaim', 'fire as seen', on('lock')),
  without('settleLateClaim', 'own session alive', on('session')),
  without('freeSlot', 'slot as seen', on('slot')),
  without('reownFire', 'fire as known', on('lock')),
  without('reownFire', 'new session alive', on('session')),
  without('forgetDone', 'record as spooled', on('done')),
  without('editJob', 'definition as read', on('jobs')),
  without('editJob', 'cursor as read', on('cursor')),
  without('editJob', 'calendars as read', on('calendars')),
  changed('editJob', 'cursor to max(cursor, now)', keepTick),
  changed('editJob', 'tombstone of a deleted job', dropTombstone),
  changed('editJob', 'missed span of the old schedule', dropPut('done')),
  without('adoptJob', 'definition as seen', on('jobs')),
  without('adoptJob', 'cursor as seen', on('cursor')),
  without('adoptJob', 'calendars as seen', on('calendars')),
  changed('adoptJob', 'cursor to max(cursor, now)', keepTick),
  changed('adoptJob', 'missed span of the old schedule', dropPut('done')),
  without('sweepTombstone', 'job absent', on('jobs')),
  without('sweepTombstone', 'tombstone as seen', on('cursor')),
  without('sweepTombstone', 'no fire', on('lock')),
  without('sweepTombstone', 'no trigger', on('trigger')),
  without('sweepTombstone', 'no done record', on('done')),
  without('sweepTombstone', 'own session alive', on('session')),
  rule('sweepTombstone', 'old enough', { tombstoneLifeMs: 2_000 }),
  without('requestTrigger', 'request not taken before', on('once')),
  without('requestTrigger', 'definition of this life', on('jobs')),
  without('putCalendar', 'calendar as seen', on('calendars')),
  without('deleteCalendar', 'calendar as seen', on('calendars')),
  without('deleteCalendar', 'no definition put since', on('jobs')),
  without('orderKill', 'the named fire is open', on('lock')),
  without('underCluster', 'cluster record as decided under', on('cluster')),
  without('session beats', 'cluster record as worked under', on('cluster')),
  changed(
    'beginRebase',
    'cursors go ahead of what may have run',
    withoutField('cluster', 'rebase'),
  ),
  without('beginRebase', 'cluster record as seen', on('cluster')),
  without('endRebase', 'cluster record as seen', on('cluster')),
  without('rebaseCursor', 'cluster record as seen', on('cluster')),
  without('rebaseCursor', 'cursor as seen', on('cursor')),
  changed('rebaseCursor', 'span of what may have run', dropPut('done')),
  without('refuseRestoredTrigger', 'cluster record as seen', on('cluster')),
  without('refuseRestoredTrigger', 'trigger as seen', on('trigger')),
  without('settleRestoredFire', 'cluster record as seen', on('cluster')),
  without('settleRestoredFire', 'fire as seen', on('lock')),
  rule('settleRestoredFire', 'yields to an end that is stored', { overridesEnds: true }),
  rule('restore', 'what a worker remembers on its disk', { forgetsState: true }),
  without('answerOrder', 'order as seen', on('killer')),
  changed('answerOrder', 'keeps the revision of the order', makeNewOrder),
  without('dropOrder', 'order as seen', on('killer')),
  rule('start', 'guardian keeps the session deadline', { ignoresDeadline: true }),
  rule('start', 'guardian keeps the second after the claim', { ignoresStartBy: true }),
  rule('clock', 'wall clock compared with the fleet', { trustsOwnClock: true }),
  rule('start', 'fire and definition read again after a re-send', { attach: answerFromThePast }),
  rule('session beats', 'both acknowledgements, not the keep-alive alone', {
    trustsKeepAlives: true,
  }),
  changed('session begins', 'tells its TTL, and survivors wait for it', tellShortTtl),
  rule('spool', 'answered only when on disk', { forgetsDisk: true }),
];
