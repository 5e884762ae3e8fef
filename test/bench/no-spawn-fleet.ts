/**
 * Processes of no-spawn workers, as one fleet over a fresh prefix of an etcd of its own: jobs are put
 * before it starts, and what started when is asked of it afterwards.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../../shared/clock.ts';
import { createEtcd } from '../../shared/etcd/create-etcd.ts';
import { prefixEnd, type Etcd } from '../../shared/etcd/port.ts';
import type { JobInput } from '../../shared/job/definition.ts';
import { createLogger } from '../../shared/log.ts';
import { createKeys, type Keys } from '../../shared/protocol/keys.ts';
import { startEtcd, withPrefix, type TestEtcd } from '../support/etcd-server.ts';
import { waitFor } from '../support/server-process.ts';
import { noCounts, type Counts } from './counted-etcd.ts';
import {
  answerSchema,
  type Answer,
  type Ask,
  type Plan,
  type WorkerStart,
} from './no-spawn-messages.ts';

const program = fileURLToPath(new URL('no-spawn-worker.js', import.meta.url));

export interface FleetPlan {
  /** The workers of each process. */
  readonly processes: readonly Plan['workers'][];
  readonly jobs: readonly JobInput[];
}

/** Starts etcd, puts the jobs, starts the workers, and resolves once every job is counted. */
export async function startFleet({ processes, jobs }: FleetPlan): Promise<NoSpawnFleet> {
  const server = await startEtcd();
  const fleet = new NoSpawnFleet(server);
  try {
    await fleet.putJobs(jobs);
    await Promise.all(processes.map((workers) => fleet.fork(workers)));
    await fleet.adopted(jobs.length);
  } catch (error) {
    await fleet.stop();
    throw error;
  }
  return fleet;
}

export class NoSpawnFleet {
  readonly server: TestEtcd;
  readonly etcd: Etcd;
  readonly #prefix = withPrefix('fleet');
  readonly #keys: Keys = createKeys(this.#prefix);
  readonly #folder = mkdtempSync(path.join(tmpdir(), 'cronmesh-bench-'));
  /** By the first worker of each. */
  readonly #children = new Map<string, ChildProcess>();

  constructor(server: TestEtcd) {
    this.server = server;
    this.etcd = createEtcd({
      endpoints: server.endpoints,
      clock: systemClock,
      random: Math.random,
      logger: createLogger('bench', 'silent'),
    });
  }

  async putJobs(jobs: readonly JobInput[]): Promise<void> {
    for (let i = 0; i < jobs.length; i += 100) {
      await this.etcd.txn({
        compare: [],
        success: jobs.slice(i, i + 100).map((job) => ({
          put: { key: this.#keys.job(job.name), value: JSON.stringify(job) },
        })),
        failure: [],
      });
    }
  }

  async fork(workers: Plan['workers']): Promise<void> {
    const { endpoints } = this.server;
    const plan: Plan = { endpoints, prefix: this.#prefix, folder: this.#folder, workers };
    const child = fork(program, [JSON.stringify(plan)]);
    this.#children.set(workers[0]?.id ?? '', child);
    await answerOf(child, 'ready');
  }

  async adopted(count: number): Promise<void> {
    const key = this.#keys.cursor('');
    await waitFor(
      async () => {
        const range = { key, rangeEnd: prefixEnd(key), countOnly: true };
        return (await this.etcd.range(range)).count >= count;
      },
      { timeoutMs: 60_000, intervalMs: 100, describe: () => `${count} cursors` },
    );
  }

  /** What started since it was last asked, and what all workers sent meanwhile. */
  async taken(): Promise<{ starts: WorkerStart[]; counts: Counts }> {
    const starts: WorkerStart[] = [];
    const counts = noCounts();
    for (const answer of await this.#askAll({ ask: 'starts' }, 'starts')) {
      starts.push(...answer.starts);
      counts.requests += answer.counts.requests;
      counts.claims += answer.counts.claims;
      counts.lostClaims += answer.counts.lostClaims;
      counts.cpuMs += answer.counts.cpuMs;
    }
    return { starts, counts };
  }

  /** How late timers are in the processes of the fleet, now. */
  async timerLateness(count: number, everyMs: number): Promise<number[]> {
    const answers = await this.#askAll({ ask: 'timers', count, everyMs }, 'timers');
    return answers.flatMap(({ lateMs }) => lateMs);
  }

  /** Entries that etcd's log has taken: all that could change something. */
  async proposals(): Promise<number> {
    const response = await fetch(`${this.server.endpoint}/metrics`);
    const text = await response.text();
    return Number(/^etcd_server_proposals_committed_total (\S+)$/m.exec(text)?.[1]);
  }

  /** Of the process of that worker. */
  pidOf(worker: string): number {
    const pid = this.#children.get(worker)?.pid;
    if (pid === undefined) throw new Error(`no process of ${worker}`);
    return pid;
  }

  /** SIGKILL to the process of that worker. */
  kill(worker: string): void {
    this.#children.get(worker)?.kill('SIGKILL');
    this.#children.delete(worker);
  }

  async stop(): Promise<void> {
    await Promise.all(
      [...this.#children.values()].map(async (child) => {
        if (child.exitCode !== null || !child.connected) return;
        const exited = once(child, 'exit');
        child.send({ ask: 'stop' } satisfies Ask);
        const cancel = systemClock.after(10_000, () => child.kill('SIGKILL'));
        await exited;
        cancel();
      }),
    );
    await this.etcd.close();
    await this.server.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #askAll<K extends Answer['answer']>(
    ask: Ask,
    kind: K,
  ): Promise<(Answer & { answer: K })[]> {
    return Promise.all(
      [...this.#children.values()].map((child) => {
        const answer = answerOf(child, kind);
        child.send(ask);
        return answer;
      }),
    );
  }
}

function answerOf<K extends Answer['answer']>(
  child: ChildProcess,
  kind: K,
): Promise<Answer & { answer: K }> {
  return new Promise((resolve, reject) => {
    const onMessage = (message: unknown): void => {
      const answer = answerSchema.parse(message);
      if (!isKind(answer, kind)) return;
      child.off('message', onMessage);
      child.off('exit', onExit);
      resolve(answer);
    };
    const onExit = (): void => reject(new Error(`a process of workers ended before "${kind}"`));
    child.on('message', onMessage);
    child.once('exit', onExit);
  });
}

function isKind<K extends Answer['answer']>(
  answer: Answer,
  kind: K,
): answer is Answer & { answer: K } {
  return answer.answer === kind;
}

/** Waits until the wall clock says so. */
export async function untilWall(atMs: number): Promise<void> {
  await new Promise<void>((resolve) => {
    void systemClock.after(Math.max(0, atMs - Date.now()), resolve);
  });
}
