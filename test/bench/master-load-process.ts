/**
 * A process that asks a server by a timetable, whatever its answers take: a request is late from when
 * it was due, not from when there was time to send it. Told by its parent, a round at a time.
 */
import http from 'node:http';
import { systemClock } from '../../shared/clock.ts';
import type { AskedRequest, AnsweredRequest, LoadRound } from './master-load.ts';

const agent = new http.Agent({ keepAlive: true, maxSockets: 64 });

process.on('message', (message) => void run(message as LoadRound));
process.once('disconnect', () => process.exit());

async function run({ url, requests, everyMs }: LoadRound): Promise<void> {
  const beganMs = performance.now();
  const answers = await Promise.all(
    requests.map(async (request, index) => {
      const dueMs = index * everyMs;
      await until(beganMs + dueMs);
      return ask(url, request, beganMs + dueMs);
    }),
  );
  process.send?.(answers);
}

async function until(atMs: number): Promise<void> {
  await new Promise<void>((resolve) => {
    systemClock.after(Math.max(0, atMs - performance.now()), resolve);
  });
}

function ask(url: string, request: AskedRequest, dueMs: number): Promise<AnsweredRequest> {
  const { kind, method, path, body } = request;
  return new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { 'content-type': 'application/json' };
    const sent = http.request(`${url}${path}`, { method, agent, headers }, (response) => {
      let bytes = 0;
      response.on('data', (chunk: Buffer) => (bytes += chunk.length));
      response.once('error', reject);
      response.once('end', () => {
        resolve({ kind, ms: performance.now() - dueMs, bytes, status: response.statusCode ?? 0 });
      });
    });
    sent.once('error', reject);
    sent.end(body);
  });
}
