/**
 * What etcd refuses of a transaction before it looks at any key (server/etcdserver/api/v3rpc/key.go of
 * 3.4): too many operations, an empty key, and one key put twice, or put and deleted, in one branch.
 */
import { CronmeshError } from '../../shared/errors.ts';
import type { Op, Txn } from '../../shared/etcd/port.ts';

const maxTxnOps = 128;

/** Throws `etcd-txn-too-large` or `etcd-rejected`. */
export function checkTxn(txn: Txn): void {
  checkSizes(txn, maxTxnOps);
  collect(txn.success);
  collect(txn.failure);
}

export function rejected(why: string): CronmeshError {
  return new CronmeshError('etcd-rejected', failure(why));
}

function failure(why: string): string {
  return `etcd: a transaction failed: etcdserver: ${why}`;
}

function checkSizes(txn: Txn, allowed: number): void {
  const count = Math.max(txn.compare.length, txn.success.length, txn.failure.length);
  if (count > allowed) {
    throw new CronmeshError('etcd-txn-too-large', failure('too many operations in txn request'));
  }
  if (txn.compare.some(({ key }) => key === '')) throw rejected('key is not provided');
  for (const op of [...txn.success, ...txn.failure]) {
    if ('txn' in op) checkSizes(op.txn, allowed - count);
    else if (keyOf(op) === '') throw rejected('key is not provided');
  }
}

function keyOf(op: Exclude<Op, { txn: Txn }>): string {
  if ('put' in op) return op.put.key;
  return 'delete' in op ? op.delete.key : op.get.key;
}

interface Span {
  readonly key: string;
  readonly rangeEnd?: string;
}

interface Collected {
  readonly puts: ReadonlySet<string>;
  readonly deletes: readonly Span[];
}

const nothing: Collected = { puts: new Set(), deletes: [] };

function collect(ops: readonly Op[]): Collected {
  // Most branches that are not taken do nothing, or only read.
  if (ops.every((op) => 'get' in op)) return nothing;
  const puts = new Set<string>();
  const deletes: Span[] = ops.flatMap((op) => ('delete' in op ? [op.delete] : []));
  const add = (key: string, isSafe: boolean): void => {
    const isDeleted = deletes.some((span) => isInSpan(key, span));
    if ((puts.has(key) && !isSafe) || isDeleted) {
      throw rejected('duplicate key given in txn request');
    }
    puts.add(key);
  };
  for (const op of ops) {
    if (!('txn' in op)) continue;
    const then = collect(op.txn.success);
    const otherwise = collect(op.txn.failure);
    for (const key of then.puts) add(key, false);
    // Only one of the two branches is taken.
    for (const key of otherwise.puts) add(key, then.puts.has(key));
    deletes.push(...then.deletes, ...otherwise.deletes);
  }
  for (const op of ops) if ('put' in op) add(op.put.key, false);
  return { puts, deletes };
}

/** A range end of NUL means everything from the key on. */
export function isInSpan(key: string, { key: from, rangeEnd }: Span): boolean {
  if (rangeEnd === undefined) return key === from;
  return key >= from && (rangeEnd === '\0' || key < rangeEnd);
}
