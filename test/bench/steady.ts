/**
 * 100 shell jobs every second on three workers: how many started, how many twice, how many never, as
 * the commands themselves have written it down outside the system, and how late; against one plain
 * Node process that spawns the same commands every second.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { startMesh, type TestMesh } from '../support/mesh.ts';
import { waitFor } from '../support/server-process.ts';
import { quantile, type Figure } from './figures.ts';
import { untilWall } from './no-spawn-fleet.ts';
import { rawSpawns, spawnOnce } from './raw-spawn.ts';
import { putJobs } from './shell-fires.ts';

const jobCount = 100;
const workers = ['w1', 'w2', 'w3'];
const rawSeconds = 5;
const settleMs = 25_000;

export async function benchSteady(seconds: number): Promise<Figure[]> {
  const mesh = await startMesh();
  try {
    await mesh.startWorkers(workers, { slots: 64 });
    writeFileSync(mesh.oracle, '');
    const command = `echo "$CRON_JOB $CRON_TICK" >> ${mesh.oracle}`;
    await putJobs(mesh, 'steady', jobCount, { command, cronExpr: '* * * * * *' });
    const fromTick = Math.ceil(Date.now() / 1_000) * 1_000 + 3_000;
    const toTick = fromTick + seconds * 1_000;
    await untilWall(toTick + 500);
    await Promise.all(
      Array.from({ length: jobCount }, (_, i) => mesh.deleteKey(mesh.keys.job(`steady-${i}`))),
    );
    await noneOpen(mesh);
    // Their history is in the store when they have stopped.
    await Promise.all([...mesh.workers.values()].map((worker) => worker.stop(60_000)));
    const fires = readFileSync(mesh.oracle, 'utf8')
      .trim()
      .split('\n')
      .filter((line) => {
        const tick = Number(line.split(' ')[1]);
        return tick >= fromTick && tick < toTick;
      });
    const late = (await mesh.rows())
      .filter(({ tick, startedAt }) => startedAt !== undefined && tick >= fromTick && tick < toTick)
      .map(({ startedAt = 0, tick }) => startedAt - tick);
    const raw = await rawLateness(path.join(mesh.folder, 'raw.txt'));
    const ceiling = await rawSpawns(':', 200, 16);
    const note = `a plain Node process spawns ${ceiling.toFixed(0)} shells a second here`;
    return figuresOf(seconds, fires, late, raw).map((figure) => ({ ...figure, note }));
  } finally {
    await mesh.stop();
  }
}

async function noneOpen(mesh: TestMesh): Promise<void> {
  await waitFor(async () => (await mesh.fires()).length === 0, {
    timeoutMs: settleMs,
    intervalMs: 100,
    describe: () => 'no open fire',
  });
}

async function rawLateness(file: string): Promise<number[]> {
  const command = `echo "$CRON_JOB $CRON_TICK" >> ${file}`;
  const ends: Promise<number>[] = [];
  for (let second = 0; second < rawSeconds; second++) {
    const tick = Math.ceil((Date.now() + 1) / 1_000) * 1_000;
    await untilWall(tick);
    for (let i = 0; i < jobCount; i++) {
      const env = { PATH: '/usr/bin:/bin', CRON_JOB: `raw-${i}`, CRON_TICK: String(tick) };
      ends.push(spawnOnce(command, env).then((startedAt) => startedAt - tick));
    }
    // So that ends are heard of before the next second.
    await untilWall(Date.now() + 1);
  }
  return Promise.all(ends);
}

function figuresOf(
  seconds: number,
  fires: readonly string[],
  late: readonly number[],
  raw: readonly number[],
): Figure[] {
  const expected = jobCount * seconds;
  const started = new Set(fires).size;
  const name = `${jobCount} shell jobs every second, 3 workers, ${seconds} s`;
  const count = (what: string, value: number, of: number, isMost: boolean): Figure => ({
    figure: `${name}: ${what}`,
    unit: 'fires',
    ours: [value],
    baseline: 'expected',
    base: [of],
    better: isMost ? 'more' : 'less',
    goals: [{ of: 'ours', is: isMost ? '>=' : '<=', value: of }],
  });
  return [
    count('started', started, expected, true),
    count('twice', fires.length - started, 0, false),
    count('missing', expected - started, 0, false),
    ...[[0.5, 100] as const, [0.99, 300] as const].map(([q, goal]) => ({
      figure: `${name}: late p${q * 100}`,
      unit: 'ms',
      ours: [quantile(late, q)],
      baseline: 'one Node process spawning them',
      base: [quantile(raw, q)],
      better: 'less' as const,
      goals: [{ of: 'ours', is: '<=', value: goal } as const],
    })),
  ];
}
