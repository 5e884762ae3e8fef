/**
 * A master with 100,000 jobs: how soon it is ready, how long its loop is blocked until then, its memory;
 * and how fast it answers 50 requests a second, of every kind that the console makes, while runs begin
 * and end and people edit; against a bare route of the same process that sends as many bytes.
 */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { startMesh, type TestMesh } from '../support/mesh.ts';
import type { ServerProcess } from '../support/server-process.ts';
import { quantile, type Figure } from './figures.ts';
import { fillHistory, fillMesh, liveOn } from './master-changes.ts';
import {
  LoadProcess,
  secondOfRequests,
  type AnsweredRequest,
  type AskedRequest,
  type Cursors,
} from './master-load.ts';
import { startMaster, type Start } from './master-start.ts';

const jobCount = 100_000;
const rounds = 3;
const secondsPerRound = 8;
const requestsPerSecond = 50;
const eventsPerSecond = 100;
const kinds = ['list', 'filter', 'sort', 'search', 'page', 'job', 'preview', 'overview', 'runs'];

export async function benchMaster(): Promise<Figure[]> {
  const [empty, many] = [await startMesh(), await startMesh()];
  const load = new LoadProcess();
  try {
    await fillMesh(many, jobCount);
    await fillHistory(many);
    const starts: Record<'ours' | 'base', Start[]> = { ours: [], base: [] };
    const memory: Record<'ours' | 'base', number[]> = { ours: [], base: [] };
    const answers: Record<'ours' | 'base', AnsweredRequest[][]> = { ours: [], base: [] };
    const cpu: Record<'ours' | 'base', number[]> = { ours: [], base: [] };
    for (let round = 0; round < rounds; round++) {
      const idle = await startMaster(empty);
      starts.base.push(idle);
      memory.base.push(rssMb(idle.process));
      await idle.process.stop();
      const master = await startMaster(many);
      starts.ours.push(master);
      const { ours, base } = await askAll(many, master, load);
      answers.ours.push(ours.answers);
      answers.base.push(base.answers);
      cpu.ours.push(ours.cpuMs);
      cpu.base.push(base.cpuMs);
      memory.ours.push(rssMb(master.process));
      await master.process.stop();
    }
    return [
      ...startFigures(starts, memory),
      {
        figure: 'master CPU for each of 50 requests a second, and 100 events, 100,000 jobs',
        unit: 'ms',
        ours: cpu.ours,
        baseline: 'a bare koa route, as many bytes, and the events',
        base: cpu.base,
        better: 'less',
      },
      ...[0.5, 0.99].map((q) => latencyFigure('all', q, answers)),
      ...kinds.map((kind) => latencyFigure(kind, 0.99, answers)),
    ];
  } finally {
    load.stop();
    for (const mesh of [empty, many]) await mesh.stop();
  }
}

async function askAll(mesh: TestMesh, master: Start, load: LoadProcess) {
  const { url, bareUrl } = master;
  const cursors = await someCursors(url);
  const everyMs = 1_000 / requestsPerSecond;
  const stop = new AbortController();
  const living = liveOn(mesh, jobCount, eventsPerSecond, stop.signal);
  try {
    const requests = Array.from({ length: secondsPerRound }, (_, second) =>
      secondOfRequests(second, jobCount, cursors),
    ).flat();
    // What a process does for the first time is not what it costs.
    await load.ask({ url, requests: requests.slice(0, 2 * requestsPerSecond), everyMs });
    const ours = await costOf(master, () => load.ask({ url, requests, everyMs }));
    const alike = ours.answers.map(({ kind, bytes }): AskedRequest => ({
      kind,
      method: 'GET',
      path: `/${bytes}`,
    }));
    const bare = { url: bareUrl, requests: alike, everyMs };
    return { ours, base: await costOf(master, () => load.ask(bare)) };
  } finally {
    stop.abort();
    await living;
  }
}

/** The answers, and the CPU time of the whole master while they were given, for each of them. */
async function costOf({ process: { pid } }: Start, ask: () => Promise<AnsweredRequest[]>) {
  const usedMs = cpuMs(pid);
  const answers = await ask();
  return { answers, cpuMs: (cpuMs(pid) - usedMs) / answers.length };
}

const pageSchema = z.object({ nextCursor: z.string() });

/** Of the first pages of each order. */
async function someCursors(url: string): Promise<Cursors> {
  const cursors = new Map<string, string[]>();
  for (const sort of ['name', '-name', 'nextTick', '-nextTick', 'lastEnded', '-lastEnded']) {
    const found: string[] = [];
    for (let page = 0; page < 10; page++) {
      const after = found.at(-1);
      const query = `limit=200&sort=${sort}${after === undefined ? '' : `&cursor=${after}`}`;
      const answer = await fetch(`${url}/api/v1/jobs?${query}`);
      found.push(pageSchema.parse(await answer.json()).nextCursor);
    }
    cursors.set(sort, found);
  }
  return cursors;
}

/** User and system time; the kernel counts it in hundredths of a second. */
function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

function rssMb(server: ServerProcess): number {
  const status = readFileSync(`/proc/${server.pid}/status`, 'utf8');
  return (Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) * 1_024) / 1e6;
}

function startFigures(
  starts: Record<'ours' | 'base', readonly Start[]>,
  memory: Record<'ours' | 'base', readonly number[]>,
): Figure[] {
  const baseline = 'a master without jobs';
  const figure = (what: string, unit: string, ours: readonly number[], base: readonly number[]) =>
    ({
      figure: `master ${what}, 100,000 jobs`,
      unit,
      ours,
      baseline,
      base,
      better: 'less',
    }) as const;
  const of = (key: 'readyMs' | 'blockedMs') =>
    [starts.ours.map((each) => each[key]), starts.base.map((each) => each[key])] as const;
  return [
    figure('ready', 'ms', ...of('readyMs')),
    figure('longest block of its loop until then', 'ms', ...of('blockedMs')),
    figure('RSS after its requests', 'MB', memory.ours, memory.base),
  ];
}

function latencyFigure(
  kind: string,
  q: number,
  { ours, base }: Record<'ours' | 'base', readonly (readonly AnsweredRequest[])[]>,
): Figure {
  const of = (round: readonly AnsweredRequest[]): number =>
    quantile(
      round.filter((answer) => kind === 'all' || answer.kind === kind).map(({ ms }) => ms),
      q,
    );
  const bytes = ours.flat().filter((answer) => kind === 'all' || answer.kind === kind);
  const meanKb = bytes.reduce((sum, answer) => sum + answer.bytes, 0) / bytes.length / 1_000;
  return {
    figure: `API p${q * 100}, ${kind}, ${meanKb.toFixed(0)} kB, 100,000 jobs, 50 requests a second`,
    unit: 'ms',
    ours: ours.map(of),
    baseline: 'a bare koa route, as many bytes',
    base: base.map(of),
    better: 'less',
    ...(q === 0.99 ? { goals: [{ of: 'ours', is: '<=', value: 50 } as const] } : {}),
  };
}
