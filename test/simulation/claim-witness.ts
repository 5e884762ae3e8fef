/**
 * Listens to what callers are told of their claims: one that was won and is still open must never be
 * answered as lost.
 */
import type { Txn, TxnResult } from '../../shared/etcd/port.ts';
import type { Ledger } from './ledger.ts';
import type { TxnWitness } from './sim-etcd.ts';
import type { Violations } from './violations.ts';

const lockPrefix = '/cron/lock/';

export function createClaimWitness(ledger: Ledger, violations: Violations): TxnWitness {
  const look = (txn: Txn, result: TxnResult, revision: number): void => {
    const ops = result.succeeded ? txn.success : txn.failure;
    for (const [index, op] of ops.entries()) {
      const answer = result.results[index];
      if ('txn' in op && answer?.kind === 'txn') look(op.txn, answer.result, revision);
    }
    if (result.succeeded || !txn.compare.some(isFree)) return;
    for (const op of txn.success) {
      if (!('put' in op) || !op.put.key.startsWith(lockPrefix)) continue;
      const mine = op.put.value.toString();
      const read = result.results[0];
      if (read?.kind === 'get' && read.kvs[0]?.value.toString() === mine) continue;
      const { runId } = JSON.parse(mine) as { runId: string };
      const fire = ledger.firesByRun.get(runId);
      if (fire === undefined || fire.claimRevision > revision) continue;
      if (fire.closedRevision !== undefined && fire.closedRevision <= revision) continue;
      const detail = `${fire.name} ${fire.fireId} run ${runId} of ${fire.worker}`;
      violations.report('a claim that was won is not reported lost', detail);
    }
  };
  return {
    applied: () => undefined,
    answered: (txn, result) => look(txn, result, result.revision),
  };
}

function isFree(compare: Txn['compare'][number]): boolean {
  return compare.key.startsWith(lockPrefix) && compare.target === 'create' && compare.op === '=';
}
