/**
 * A process of one or more real workers over a real etcd and a real spool on disk, whose executor
 * starts no process and whose store takes everything. Its argument is a plan; it answers what it is
 * asked over the channel to the process that forked it, and ends with it.
 */
import os from 'node:os';
import path from 'node:path';
import { systemClock } from '../../shared/clock.ts';
import { createEtcd } from '../../shared/etcd/create-etcd.ts';
import { readServerDate } from '../../shared/etcd/server-date.ts';
import { createLogger } from '../../shared/log.ts';
import { createKeys } from '../../shared/protocol/keys.ts';
import { MeshWorker } from '../../worker/mesh-worker.ts';
import { openSpool } from '../../worker/spool/spool.ts';
import { countedEtcd, noCounts } from './counted-etcd.ts';
import { NoSpawnExecutor } from './no-spawn-executor.ts';
import { askSchema, planSchema, type Answer, type Plan } from './no-spawn-messages.ts';

const plan = planSchema.parse(JSON.parse(process.argv[2] ?? ''));
const logger = createLogger('bench', 'silent');
const counts = noCounts();

async function startWorker({ id, slots }: Plan['workers'][number]): Promise<{
  readonly id: string;
  readonly executor: NoSpawnExecutor;
  stop(): Promise<void>;
}> {
  const basics = { clock: systemClock, random: Math.random, logger };
  const etcd = createEtcd({ endpoints: plan.endpoints, ...basics });
  const spool = openSpool({
    directory: path.join(plan.folder, id),
    store: { ingest: () => Promise.resolve() },
    ...basics,
  });
  await spool.start();
  const executor = new NoSpawnExecutor(slots);
  const worker = new MeshWorker({
    ...basics,
    config: {
      prefix: plan.prefix,
      workerId: id,
      slots,
      sessionTtlSeconds: 15,
      drainSeconds: 5,
      etcdMaxTxnOps: 128,
    },
    etcd: countedEtcd(etcd, createKeys(plan.prefix), counts),
    spool,
    executor,
    serverDateMs: () => readServerDate({ endpoints: plan.endpoints }),
    machine: () => ({ host: os.hostname(), version: 'bench', pid: process.pid, load: [0, 0, 0] }),
    baseEnvironment: {},
    workDirectory: plan.folder,
    memory: { read: () => Promise.resolve(undefined), write: () => Promise.resolve() },
  });
  await worker.start();
  return {
    id,
    executor,
    stop: async () => {
      await worker.stop();
      await spool.stop();
      await etcd.close();
    },
  };
}

/** Lateness of timers that are set for a moment, one after the other, in ms. */
async function timerLateness(count: number, everyMs: number): Promise<number[]> {
  const lateMs: number[] = [];
  for (let i = 0; i < count; i++) {
    const due = Date.now() + everyMs;
    await new Promise<void>((resolve) => void systemClock.after(everyMs, resolve));
    lateMs.push(Date.now() - due);
  }
  return lateMs;
}

let countedCpu = process.cpuUsage();

/** Since it was last asked. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage(countedCpu);
  countedCpu = process.cpuUsage();
  return (user + system) / 1_000;
}

function say(answer: Answer): void {
  process.send?.(answer);
}

process.once('disconnect', () => process.exit(0));
const workers = await Promise.all(plan.workers.map(startWorker));
process.on('message', (message) => {
  const ask = askSchema.parse(message);
  switch (ask.ask) {
    case 'starts': {
      const starts = workers.flatMap(({ id, executor }) =>
        executor.take().map((start) => ({ ...start, worker: id })),
      );
      say({ answer: 'starts', starts, counts: { ...counts, cpuMs: cpuMs() } });
      Object.assign(counts, noCounts());
      break;
    }
    case 'timers':
      void timerLateness(ask.count, ask.everyMs).then((lateMs) =>
        say({ answer: 'timers', lateMs }),
      );
      break;
    case 'stop':
      void Promise.all(workers.map((worker) => worker.stop())).then(() => process.disconnect());
  }
});
say({ answer: 'ready' });
