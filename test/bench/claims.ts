/**
 * Claim and complete cycles a second of one process: the real claim and completion transactions
 * through the real batcher, against the lock race of a naive scheduler (grant a lease, create the
 * lock key, revoke) with the same client and as many races at a time.
 */
import { systemClock } from '../../shared/clock.ts';
import type { Etcd } from '../../shared/etcd/port.ts';
import { claimTick, readClaim, tickFireId } from '../../shared/protocol/claim.ts';
import { completeRun } from '../../shared/protocol/complete.ts';
import { encodeCursor } from '../../shared/protocol/cursor.ts';
import { createKeys, type Keys } from '../../shared/protocol/keys.ts';
import type { FireValue } from '../../shared/protocol/values.ts';
import { TxnBatcher } from '../../worker/mesh/txn-batcher.ts';
import { createRunId } from '../../worker/run/run-id.ts';
import { withPrefix } from '../support/etcd-server.ts';
import type { Figure } from './figures.ts';

const jobCount = 1_000;
const naiveAtATime = 64;
const rounds = 3;
const roundMs = 3_000;
const schedule = '* * * * * * * UTC';

export async function benchClaims(etcd: Etcd): Promise<Figure[]> {
  const ours: number[] = [];
  const base: number[] = [];
  for (let round = 0; round <= rounds; round++) {
    const [oursNow, baseNow] = [await claimRound(etcd), await naiveRound(etcd)];
    // The first round warms up.
    if (round === 0) continue;
    ours.push(oursNow);
    base.push(baseNow);
  }
  return [
    {
      figure: 'claim + complete, one process',
      unit: 'cycles/s',
      ours,
      baseline: 'naive lock race (grant, create, revoke)',
      base,
      better: 'more',
    },
  ];
}

async function claimRound(etcd: Etcd): Promise<number> {
  const keys = createKeys(withPrefix('bench'));
  const abort = new AbortController();
  const batcher = new TxnBatcher({
    etcd,
    clock: systemClock,
    random: Math.random,
    signal: abort.signal,
  });
  const lease = await etcd.grantLease(60);
  await etcd.txn({
    compare: [],
    success: [{ put: { key: keys.session(lease.id), value: '{}', lease: lease.id } }],
    failure: [],
  });
  const names = Array.from({ length: jobCount }, (_, i) => `job-${i}`);
  for (let i = 0; i < names.length; i += 50) {
    const slice = names.slice(i, i + 50);
    await etcd.txn({
      compare: [],
      success: slice.flatMap((name) => [
        { put: { key: keys.job(name), value: `{"name":"${name}"}` } },
        { put: { key: keys.cursor(name), value: encodeCursor({ tick: 0, schedule }) } },
      ]),
      failure: [],
    });
  }
  const revision = await etcd.range({ key: keys.job('job-0') });
  const until = performance.now() + roundMs;
  const began = performance.now();
  const counts = await Promise.all(
    names.map((name) => cycles(etcd, batcher, keys, name, lease.id, until)),
  );
  const seconds = (performance.now() - began) / 1_000;
  if (revision.kvs.length !== 1) throw new Error('the jobs were not written');
  await etcd.revokeLease(lease.id);
  return counts.reduce((sum, count) => sum + count, 0) / seconds;
}

async function cycles(
  etcd: Etcd,
  batcher: TxnBatcher,
  keys: Keys,
  name: string,
  sessionId: string,
  until: number,
): Promise<number> {
  const [job] = (await etcd.range({ key: keys.job(name) })).kvs;
  if (job === undefined) throw new Error(`${name} is not there`);
  let count = 0;
  for (let tick = 0; performance.now() < until; tick += 1_000) {
    const fire: FireValue = {
      v: 1,
      runId: createRunId(Date.now(), Math.random),
      session: sessionId,
      worker: 'bench',
      jobCreate: job.createRevision,
      cause: 'tick',
      tick: tick + 1_000,
      attempt: 1,
      group: 'default',
    };
    const fireId = tickFireId(tick + 1_000);
    const claim = {
      keys,
      name,
      jobModRevision: job.modRevision,
      sessionId,
      fireId,
      fire,
      exclusive: true,
      cursorRaw: encodeCursor({ tick, schedule }),
      tick: tick + 1_000,
      schedule,
      calendars: [],
    };
    const { result } = await batcher.submit(name, claimTick(claim));
    const verdict = readClaim(claim, result);
    if (!verdict.won) throw new Error(`claim of ${name} was lost`);
    const completed = await batcher.submit(
      name,
      completeRun({
        keys,
        name,
        fireId,
        runId: fire.runId,
        fireModRevision: verdict.claimRevision,
        state: {
          jobCreate: job.createRevision,
          value: {
            v: 1,
            outcome: 'succeeded',
            tick: fire.tick,
            runId: fire.runId,
            worker: 'bench',
            endedAt: fire.tick,
          },
        },
      }),
    );
    if (!completed.result.succeeded) throw new Error(`completion of ${name} was refused`);
    count++;
  }
  return count;
}

async function naiveRound(etcd: Etcd): Promise<number> {
  const prefix = withPrefix('naive');
  const until = performance.now() + roundMs;
  const began = performance.now();
  let count = 0;
  const race = async (lane: number): Promise<void> => {
    for (let i = 0; performance.now() < until; i++) {
      const lease = await etcd.grantLease(10);
      const key = `${prefix}/lock/${lane}-${i}`;
      const { succeeded } = await etcd.txn({
        compare: [{ key, target: 'create', op: '=', value: 0 }],
        success: [{ put: { key, value: 'held', lease: lease.id } }],
        failure: [{ get: { key } }],
      });
      if (!succeeded) throw new Error('a lock of its own was taken');
      await etcd.revokeLease(lease.id);
      count++;
    }
  };
  await Promise.all(Array.from({ length: naiveAtATime }, (_, lane) => race(lane)));
  return count / ((performance.now() - began) / 1_000);
}
