/**
 * Claim and complete cycles a second of one process: the real claim and completion transactions
 * through the real batcher, against the lock race of naive schedulers, and against what the same
 * client does without any protocol.
 */
import { systemClock } from '../../shared/clock.ts';
import { prefixEnd, type Etcd, type KeyValue } from '../../shared/etcd/port.ts';
import { claimTick, readClaim, tickFireId } from '../../shared/protocol/claim.ts';
import { completeRun } from '../../shared/protocol/complete.ts';
import { encodeCursor } from '../../shared/protocol/cursor.ts';
import { createKeys, type Keys } from '../../shared/protocol/keys.ts';
import type { FireValue } from '../../shared/protocol/values.ts';
import { TxnBatcher } from '../../worker/mesh/txn-batcher.ts';
import { createRunId } from '../../worker/run/run-id.ts';
import { withPrefix } from '../support/etcd-server.ts';
import type { Figure } from './figures.ts';
import { naiveRace } from './naive-race.ts';
import { rawPuts, rawTxns } from './raw-etcd.ts';

const jobCount = 1_000;
const rounds = 5;
const roundMs = 1_000;
const schedule = '* * * * * * * UTC';
const figure = {
  figure: 'claim + complete, one process',
  unit: 'cycles/s',
  better: 'more',
} as const;

export async function benchClaims(etcd: Etcd): Promise<Figure[]> {
  const ours: number[] = [];
  const base: Record<'race' | 'alone' | 'puts' | 'txns', number[]> = {
    race: [],
    alone: [],
    puts: [],
    txns: [],
  };
  for (let round = 0; round <= rounds; round++) {
    // The first round warms up.
    const forMs = round === 0 ? roundMs / 4 : roundMs;
    const ceiling = await claimRound(etcd, forMs);
    const race = await naiveRace(etcd, 3, forMs);
    const alone = await naiveRace(etcd, 1, forMs / 2);
    const puts = await rawPuts(etcd, forMs / 2);
    const txns = await rawTxns(etcd, forMs / 2);
    if (round === 0) continue;
    ours.push(ceiling);
    base.race.push(race);
    base.alone.push(alone);
    base.puts.push(puts);
    base.txns.push(txns);
  }
  return [
    {
      ...figure,
      ours,
      baseline: 'naive lock race of 3 workers, fires/s',
      base: base.race,
      goals: [
        { of: 'ours', is: '>=', value: 8_000 },
        { of: 'ratio', is: '>=', value: 20 },
      ],
    },
    { ...figure, ours, baseline: 'naive lock, one worker alone', base: base.alone },
    { ...figure, ours, baseline: 'raw put, 64 at a time', base: base.puts },
    { ...figure, ours, baseline: 'raw txn, 64 at a time', base: base.txns },
  ];
}

/** Ms that one process needs to claim `count` fires of as many jobs and nothing else. */
export async function claimCeiling(etcd: Etcd, count: number): Promise<number> {
  const stage = await setStage(etcd, count);
  const began = performance.now();
  await Promise.all(stage.jobs.map((job) => claimOnce(stage, job, 0)));
  const ms = performance.now() - began;
  await stage.end();
  return ms;
}

async function claimRound(etcd: Etcd, forMs: number): Promise<number> {
  const stage = await setStage(etcd, jobCount);
  const began = performance.now();
  const counts = await Promise.all(stage.jobs.map((job) => cycles(stage, job, began + forMs)));
  const seconds = (performance.now() - began) / 1_000;
  await stage.end();
  return counts.reduce((sum, count) => sum + count, 0) / seconds;
}

interface Stage {
  readonly keys: Keys;
  readonly batcher: TxnBatcher;
  readonly sessionId: string;
  readonly jobs: readonly KeyValue[];
  end(): Promise<void>;
}

/** A session and `count` jobs with their cursors, under a prefix of their own. */
async function setStage(etcd: Etcd, count: number): Promise<Stage> {
  const keys = createKeys(withPrefix('bench'));
  const abort = new AbortController();
  const lease = await etcd.grantLease(60);
  await etcd.txn({
    compare: [],
    success: [{ put: { key: keys.session(lease.id), value: '{}', lease: lease.id } }],
    failure: [],
  });
  const names = Array.from({ length: count }, (_, i) => `job-${i}`);
  const jobs: KeyValue[] = [];
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
  const key = keys.job('');
  jobs.push(...(await etcd.range({ key, rangeEnd: prefixEnd(key) })).kvs);
  if (jobs.length !== count) throw new Error('the jobs were not written');
  return {
    keys,
    batcher: new TxnBatcher({
      etcd,
      clock: systemClock,
      random: Math.random,
      signal: abort.signal,
    }),
    sessionId: lease.id,
    jobs,
    end: () => etcd.revokeLease(lease.id),
  };
}

async function claimOnce(
  { keys, batcher, sessionId }: Stage,
  job: KeyValue,
  tick: number,
): Promise<{ readonly fire: FireValue; readonly fireId: string; readonly claimRevision: number }> {
  const name = nameOf(keys, job);
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
  const claim = {
    keys,
    name,
    jobModRevision: job.modRevision,
    sessionId,
    fireId: tickFireId(fire.tick),
    fire,
    exclusive: true,
    cursorRaw: encodeCursor({ tick, schedule }),
    tick: fire.tick,
    schedule,
    calendars: [],
  };
  const { result } = await batcher.submit(name, claimTick(claim));
  const verdict = readClaim(claim, result);
  if (!verdict.won) throw new Error(`claim of ${name} was lost`);
  return { fire, fireId: claim.fireId, claimRevision: verdict.claimRevision };
}

/** Claims and completes ticks of one job until `untilMs`; answers how many. */
async function cycles(stage: Stage, job: KeyValue, untilMs: number): Promise<number> {
  const { keys, batcher } = stage;
  const name = nameOf(keys, job);
  let count = 0;
  for (let tick = 0; performance.now() < untilMs; tick += 1_000) {
    const { fire, fireId, claimRevision } = await claimOnce(stage, job, tick);
    const completed = await batcher.submit(
      name,
      completeRun({
        keys,
        name,
        fireId,
        runId: fire.runId,
        fireModRevision: claimRevision,
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

function nameOf(keys: Keys, { key }: KeyValue): string {
  return key.slice(keys.job('').length);
}
