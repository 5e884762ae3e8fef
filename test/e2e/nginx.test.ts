/**
 * Several masters behind a real nginx with the site file that we ship: any master answers anything,
 * live output passes through as it is written, and a master that is stopped is not noticed by those
 * who ask, nor by those who watch.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { z } from 'zod';
import { ApiClient } from '../support/api-client.ts';
import { withMesh } from '../support/mesh.ts';
import { startNginx } from '../support/nginx-server.ts';
import { waitFor } from '../support/server-process.ts';
import { SseClient, type SseEvent } from '../support/sse-client.ts';

const pieceSchema = z.object({ offset: z.number(), stream: z.string(), base64: z.string() });
const endSchema = z.object({ row: z.object({ id: z.string(), outcome: z.string() }).loose() });
const openSchema = z.object({ open: z.boolean() }).loose();

const watcherCount = 6;
const never = '0 0 0 1 1 *';
const talking = 'i=0; while :; do i=$((i+1)); echo "line $i"; echo "error $i" >&2; sleep 0.1; done';

describe('masters behind nginx', { concurrency: false }, () => {
  it('answer whatever they are asked, and stop one at a time without anybody noticing', async () => {
    await withMesh({}, async (mesh) => {
      const [first, second] = [await mesh.startMaster(), await mesh.startMaster()];
      await mesh.startWorkers(['w1', 'w2']);
      const nginx = await startNginx({ masters: [first.url, second.url] });
      const api = new ApiClient(nginx.url);
      const clients: SseClient[] = [];
      try {
        const job = { name: 'talker', command: talking, cronExpr: never };
        await api.createJob(job);
        const repeated = await api.ask('PUT', '/api/v1/jobs/talker', job, { 'If-None-Match': '*' });
        assert.equal(repeated.status, 412, 'refusals pass through as they are');
        assert.match(repeated.text, /"code":"precondition-failed"/);
        // Each master knows it, whichever was asked.
        for (const { url } of [first, second]) {
          await waitFor(async () => (await new ApiClient(url).jobNames()).includes('talker'), {
            timeoutMs: 5_000,
            describe: () => `the job at ${url}`,
          });
        }
        await api.expect('POST', '/api/v1/jobs/talker/run', {});
        const { id } = await waitFor(async () => (await api.rows('outcome=running'))[0], {
          timeoutMs: 10_000,
          describe: () => 'the run to be open',
        });

        const live = new SseClient(`${nginx.url}/api/v1/stream?topics=jobs,runs`);
        const watchers = Array.from(
          { length: watcherCount },
          () => new SseClient(`${nginx.url}/api/v1/runs/${id}/output/stream`),
        );
        clients.push(live, ...watchers);
        for (const client of watchers) client.start('end');
        live.start();
        await waitFor(() => watchers.every(({ events }) => events.length >= 3), {
          timeoutMs: 10_000,
          describe: () => `output to pass; ${watchers.map(({ events }) => events.length).join()}`,
        });
        const { open } = openSchema.parse(await api.expect('GET', `/api/v1/runs/${id}`));
        assert.ok(open, 'what has come through was not held until the end');
        assert.ok(live.events.some(({ event }) => event === 'snapshot'));

        const asking = keepAsking(api, [
          '/api/v1/jobs',
          `/api/v1/runs/${id}`,
          '/api/v1/runs?outcome=running',
          '/api/v1/workers',
          '/',
        ]);
        await waitFor(() => asking.answers.length > 50, {
          timeoutMs: 10_000,
          describe: () => `answers; ${asking.answers.length}`,
        });
        await second.process.stop();
        const atStop = asking.answers.length;
        const cut = (): number => watchers.filter(({ connections }) => connections > 1).length;
        await waitFor(() => cut() > 0 && asking.answers.length > atStop + 50, {
          timeoutMs: 15_000,
          describe: () => `watchers to resume (${cut()}), ${asking.answers.length} answers`,
        });
        assert.ok(cut() < watcherCount, 'those of the other master were not cut');
        const seen = watchers.map(({ events }) => events.length);
        await waitFor(
          () => watchers.every(({ events }, index) => events.length > (seen[index] ?? 0) + 3),
          { timeoutMs: 10_000, describe: () => 'output to go on for everybody' },
        );

        await api.expect('POST', `/api/v1/runs/${id}/kill`, {});
        await waitFor(() => watchers.every(({ events }) => events.at(-1)?.event === 'end'), {
          timeoutMs: 20_000,
          describe: () => 'the end to reach every watcher',
        });
        const failures = await asking.stop();
        assert.deepEqual(failures, [], 'no question was answered with an error');

        const plain = await fetch(`${nginx.url}/api/v1/runs/${id}/output`, {
          headers: { accept: 'text/plain' },
        });
        const whole = await plain.text();
        assert.ok(whole.includes('line 10\n') && whole.includes('error 10\n'));
        for (const [index, { events }] of watchers.entries()) {
          assert.equal(textOf(events), whole, `watcher ${index} has every byte once`);
          const end = endSchema.parse(events.at(-1)?.data);
          assert.equal(end.row.id, id);
          assert.equal(end.row.outcome, 'killed');
        }
        const refused = watchers.flatMap(({ refusals }) => refusals);
        assert.deepEqual(refused, [], 'each found the other master at its first attempt');
      } finally {
        await Promise.all(clients.map((client) => client.close()));
        await nginx.stop();
      }
    });
  });
});

interface Asking {
  /** Milliseconds that each answer took. */
  readonly answers: readonly number[];
  /** Ends it, with what went wrong. */
  stop(): Promise<string[]>;
}

/** Asks for the paths in turn, two at a time, until it is stopped. */
function keepAsking(api: ApiClient, paths: readonly string[]): Asking {
  const answers: number[] = [];
  const failures: string[] = [];
  let stopped = false;
  const ask = async (from: number): Promise<void> => {
    for (let i = from; !stopped; i++) {
      const path = paths[i % paths.length] ?? '/';
      const began = performance.now();
      try {
        const { status, text } = await api.ask('GET', path);
        if (status !== 200) failures.push(`${path}: ${status} ${text.slice(0, 300)}`);
      } catch (error) {
        failures.push(`${path}: ${String(error)}`);
      }
      answers.push(performance.now() - began);
      await new Promise((resolve) => {
        setTimeout(resolve, 5);
      });
    }
  };
  const loops = [ask(0), ask(2)];
  return {
    answers,
    async stop() {
      stopped = true;
      await Promise.all(loops);
      return failures;
    },
  };
}

/** The bytes of all `output` events; throws when one does not begin where the one before it ended. */
function textOf(events: readonly SseEvent[]): string {
  const parts: Buffer[] = [];
  let next = 0;
  for (const { event, data, id } of events) {
    if (event !== 'output') continue;
    const piece = pieceSchema.parse(data);
    const bytes = Buffer.from(piece.base64, 'base64');
    assert.equal(piece.offset, next, 'no gap and no repeat');
    next += bytes.length;
    assert.equal(id, String(next));
    parts.push(bytes);
  }
  return Buffer.concat(parts).toString('utf8');
}
