/**
 * From a kill order in etcd to the death of the process, on one worker with many runs; against a
 * plain signal to a child of one's own.
 */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { systemClock } from '../../shared/clock.ts';
import { isAlive } from '../support/executor-rig.ts';
import { startMesh } from '../support/mesh.ts';
import { waitFor } from '../support/server-process.ts';
import { quantile, type Figure } from './figures.ts';
import { putDueJobs } from './shell-fires.ts';

const rounds = 3;
const perRound = 30;

export async function benchKill(): Promise<Figure[]> {
  const mesh = await startMesh();
  const [ours, base]: [number[][], number[][]] = [[], []];
  try {
    const runCount = rounds * perRound;
    await mesh.startWorkers(['w1'], { slots: runCount });
    const command = `echo "$CRON_JOB $$" >> ${mesh.oracle}; exec sleep 600`;
    await putDueJobs(mesh, 'kill', runCount, command);
    const pids = await waitFor(
      () => {
        if (!existsSync(mesh.oracle)) return undefined;
        const lines = readFileSync(mesh.oracle, 'utf8').trim().split('\n');
        return lines.length < runCount ? undefined : lines.map((each) => each.split(' '));
      },
      { timeoutMs: 60_000, describe: () => `${runCount} runs` },
    );
    for (let round = 0; round < rounds; round++) {
      const [late, raw]: [number[], number[]] = [[], []];
      for (const [job = '', pid] of pids.slice(round * perRound, (round + 1) * perRound)) {
        late.push(
          await deathAfter(Number(pid), () => mesh.putKey(mesh.keys.killer(job), '{"by":"bench"}')),
        );
        raw.push(await rawKill());
      }
      ours.push(late);
      base.push(raw);
    }
  } finally {
    await mesh.stop();
  }
  return [0.5, 0.99].map((q) => ({
    figure: `kill latency p${q * 100}, order in etcd to dead process`,
    unit: 'ms',
    ours: ours.map((round) => quantile(round, q)),
    baseline: "a signal to one's own child",
    base: base.map((round) => quantile(round, q)),
    better: 'less' as const,
    ...(q === 0.99 ? { goals: [{ of: 'ours', is: '<=', value: 100 } as const] } : {}),
  }));
}

async function rawKill(): Promise<number> {
  const child = spawn('/bin/sh', ['-c', 'exec sleep 600'], { stdio: 'ignore', detached: true });
  const { pid } = child;
  if (pid === undefined) throw new Error('sleep did not start');
  await pause(20);
  return deathAfter(pid, () => child.kill('SIGTERM'));
}

/** ms from the beginning of `kill` until the process is gone, looked at every millisecond. */
async function deathAfter(pid: number, kill: () => unknown): Promise<number> {
  const began = performance.now();
  void kill();
  while (isAlive(pid)) {
    if (performance.now() - began > 30_000) throw new Error(`process ${pid} does not end`);
    await pause(1);
  }
  return performance.now() - began;
}

async function pause(ms: number): Promise<void> {
  await new Promise<void>((resolve) => void systemClock.after(ms, resolve));
}
