/**
 * Live output: from the moment a run writes a line until a client of a master has it, with one watcher
 * and with two hundred; against a bare HTTP server that passes on a child's pipe, on both stores.
 */
import { spawn } from 'node:child_process';
import { createServer, get } from 'node:http';
import { once } from 'node:events';
import { systemClock } from '../../shared/clock.ts';
import { startMesh, type TestMesh } from '../support/mesh.ts';
import { startMongo } from '../support/mongo-server.ts';
import { waitFor } from '../support/server-process.ts';
import { quantile, type Figure } from './figures.ts';

const rounds = 3;
const linesPerRound = 150;
const everyMs = 17;
const many = 200;

/** Writes the time, again and again; no shell may stand between, which would write later. */
const writer = `setInterval(() => process.stdout.write(Date.now() + '\\n'), ${everyMs})`;

export async function benchLiveTail(): Promise<Figure[]> {
  const figures = await onStore('SQLite', undefined);
  const mongo = await startMongo();
  try {
    return [...figures, ...(await onStore('MongoDB', mongo.url))];
  } finally {
    await mongo.stop();
  }
}

async function onStore(store: string, history: string | undefined): Promise<Figure[]> {
  const mesh = await startMesh(history === undefined ? {} : { history });
  try {
    await mesh.startWorkers(['w1']);
    const { url } = await mesh.startMaster();
    const runId = await startWriter(mesh);
    const stream = `${url}/api/v1/runs/${encodeURIComponent(runId)}/output/stream`;
    const figures: Figure[] = [];
    for (const watchers of [1, many]) {
      const [ours, base]: [number[][], number[][]] = [[], []];
      for (let round = 0; round < rounds; round++) {
        base.push(await barePipe());
        ours.push(await watch(stream, watchers));
      }
      for (const q of [0.5, 0.99]) {
        figures.push({
          figure: `live output, ${watchers} ${watchers === 1 ? 'watcher' : 'watchers'}, ${store}, p${q * 100}`,
          unit: 'ms',
          ours: ours.map((round) => quantile(round, q)),
          baseline: 'a bare pipe to HTTP',
          base: base.map((round) => quantile(round, q)),
          better: 'less',
          ...(q === 0.99 ? { goals: [{ of: 'ours', is: '<=', value: 300 } as const] } : {}),
        });
      }
    }
    return figures;
  } finally {
    await mesh.stop();
  }
}

async function startWriter(mesh: TestMesh): Promise<string> {
  const command = `exec ${process.execPath} -e "${writer}"`;
  await mesh.putJob({ name: 'writer', cronExpr: '* * * * * *', concurrency: 'forbid', command });
  return waitFor(async () => (await mesh.fires())[0]?.runId, {
    timeoutMs: 20_000,
    describe: () => 'a run that writes',
  });
}

/** How late each line was, at every watcher. */
async function watch(url: string, watchers: number): Promise<number[]> {
  const clients = Array.from({ length: watchers }, () => new Client(url));
  try {
    await waitFor(() => (clients.every((client) => client.late.length > 0) ? true : undefined), {
      timeoutMs: 30_000,
      describe: () => `${watchers} watchers`,
    });
    // What was written before somebody watched is not late.
    await pause(1_000);
    const before = clients.map((client) => client.late.length);
    await pause(linesPerRound * everyMs);
    return clients.flatMap((client, i) => client.late.slice(before[i]));
  } finally {
    for (const client of clients) client.close();
  }
}

class Client {
  readonly late: number[] = [];
  readonly #request: ReturnType<typeof get>;
  #rest = '';

  constructor(url: string) {
    this.#request = get(url, { agent: false }, (response) => {
      response.setEncoding('utf8');
      response.on('data', (text: string) => this.#read(text));
      response.on('error', () => undefined);
    });
    this.#request.on('error', () => undefined);
  }

  close(): void {
    this.#request.destroy();
  }

  #read(text: string): void {
    const nowMs = Date.now();
    const blocks = (this.#rest + text).split('\n\n');
    this.#rest = blocks.pop() ?? '';
    for (const block of blocks) {
      const base64 = /"base64":"([^"]*)"/.exec(block)?.[1];
      if (base64 === undefined) continue;
      for (const line of Buffer.from(base64, 'base64').toString().split('\n')) {
        if (/^\d{13}$/.test(line)) this.late.push(nowMs - Number(line));
      }
    }
  }
}

async function barePipe(): Promise<number[]> {
  const child = spawn(process.execPath, ['-e', writer], { stdio: ['ignore', 'pipe', 'ignore'] });
  const server = createServer((_request, response) => void child.stdout.pipe(response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  const late: number[] = [];
  const request = get({ port, host: '127.0.0.1', agent: false }, (response) => {
    response.setEncoding('utf8');
    response.on('data', (text: string) => {
      const nowMs = Date.now();
      for (const line of text.split('\n')) {
        if (/^\d{13}$/.test(line)) late.push(nowMs - Number(line));
      }
    });
    response.on('error', () => undefined);
  });
  request.on('error', () => undefined);
  await pause(linesPerRound * everyMs);
  request.destroy();
  child.kill('SIGKILL');
  server.closeAllConnections();
  server.close();
  return late;
}

async function pause(ms: number): Promise<void> {
  await new Promise<void>((resolve) => void systemClock.after(ms, resolve));
}
