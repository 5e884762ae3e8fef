/**
 * Live output with real processes: a run writes, masters show it while it does. Who watches is told to
 * the run's worker, and nobody is told of a run that nobody watches.
 */
import assert from 'node:assert/strict';
import { get, type IncomingMessage } from 'node:http';
import { describe, it } from 'node:test';
import { z } from 'zod';
import { ApiClient } from '../support/api-client.ts';
import { withMesh, type TestMesh } from '../support/mesh.ts';
import { waitFor } from '../support/server-process.ts';
import { SseClient } from '../support/sse-client.ts';

const pieceSchema = z.object({ offset: z.number(), stream: z.string(), base64: z.string() });
const never = '0 0 0 1 1 *';
/** 40 lines on each stream, in about two seconds; then it ends by itself. */
const talking =
  'i=0; while [ $i -lt 40 ]; do i=$((i+1)); echo "out $i"; echo "err $i" >&2; sleep 0.05; done';
const outLines = numbered('out', 40);
const errLines = numbered('err', 40);

describe('live output', { concurrency: false }, () => {
  it('is the same at every master, as events and as text, for both streams and for one', async () => {
    await withMesh({}, async (mesh) => {
      await mesh.startWorkers(['w1']);
      const [one, other] = [await mesh.startMaster(), await mesh.startMaster()];
      const id = await startRun(mesh, one.url, talking);
      const path = `/api/v1/runs/${encodeURIComponent(id)}/output`;
      const events = new SseClient(`${one.url}${path}?follow=true`);
      const former = new SseClient(`${other.url}${path}/stream?stream=stderr`);
      events.start('end');
      former.start('end');
      const [text, errors] = await Promise.all([
        read(`${other.url}${path}?follow=true`, { accept: 'text/plain' }),
        read(`${one.url}${path}?follow=true&stream=stderr`, { accept: 'text/plain' }),
      ]);
      await Promise.all([events.done(), former.done()]);
      assert.equal(errors.text, errLines);
      assert.deepEqual(linesOf(text.text, 'out'), outLines);
      assert.deepEqual(linesOf(text.text, 'err'), errLines);
      const pieces = piecesOf(events);
      assert.equal(joined(pieces), text.text, 'in the same order');
      let next = 0;
      for (const { offset, base64 } of pieces) {
        assert.equal(offset, next, 'no gap, nothing twice');
        next += Buffer.byteLength(base64, 'base64');
      }
      assert.equal(joined(piecesOf(former)), errLines);
      // Afterwards it is all there, by ranges too.
      const whole = await read(`${one.url}${path}`, { accept: 'text/plain' });
      assert.equal(whole.text, text.text);
      await assertRanges(`${other.url}${path}`, text.text);
    });
  });

  it('is announced by a key that goes by itself, and only when somebody watches', async () => {
    await withMesh({}, async (mesh) => {
      await mesh.startWorkers(['w1']);
      const { url } = await mesh.startMaster();
      const id = await startRun(mesh, url, 'sleep 1000');
      assert.deepEqual(await mesh.list('watch/'), [], 'nobody watches');
      const client = new SseClient(`${url}/api/v1/runs/${encodeURIComponent(id)}/output/stream`);
      client.start();
      const [mark] = await waitFor(
        async () => {
          const marks = await mesh.list('watch/');
          return marks.length === 0 ? undefined : marks;
        },
        { timeoutMs: 5_000, describe: () => 'a mark of the watched run' },
      );
      assert.equal(mark?.key, mesh.keys.watch(id));
      assert.notEqual(mark?.lease, '0', 'it goes by itself');
      await client.close();
    });
  });

  it('does not wait for a client that does not read', async () => {
    await withMesh({}, async (mesh) => {
      await mesh.startWorkers(['w1']);
      const { url } = await mesh.startMaster();
      const flood =
        'i=0; while [ $i -lt 60 ]; do i=$((i+1)); head -c 100000 /dev/zero | tr "\\0" x; sleep 0.02; done';
      const id = await startRun(mesh, url, flood);
      const path = `${url}/api/v1/runs/${encodeURIComponent(id)}/output/stream`;
      const stuck = await openAndDoNotRead(path);
      const client = new SseClient(path);
      client.start('end');
      await client.done();
      stuck.destroy();
      assert.equal(joined(piecesOf(client)).length, 6_000_000);
    });
  });
});

async function startRun(mesh: TestMesh, url: string, command: string): Promise<string> {
  const api = new ApiClient(url);
  await api.createJob({ name: 'talker', command, cronExpr: never });
  await api.expect('POST', '/api/v1/jobs/talker/run', {});
  return waitFor(async () => (await mesh.fires())[0]?.runId, {
    timeoutMs: 10_000,
    describe: () => 'the run to be open',
  });
}

async function read(
  url: string,
  headers: Record<string, string>,
): Promise<{ status: number; text: string; headers: Headers }> {
  const response = await fetch(url, { headers, signal: AbortSignal.timeout(30_000) });
  return { status: response.status, text: await response.text(), headers: response.headers };
}

async function assertRanges(url: string, whole: string): Promise<void> {
  const range = (value: string) => read(url, { accept: 'text/plain', range: value });
  const size = whole.length;
  const start = await range('bytes=0-9');
  assert.equal(start.status, 206);
  assert.equal(start.text, whole.slice(0, 10));
  assert.equal(start.headers.get('content-range'), `bytes 0-9/${size}`);
  assert.equal(start.headers.get('content-length'), '10');
  assert.equal((await range(`bytes=${size - 5}-`)).text, whole.slice(-5));
  assert.equal((await range('bytes=-7')).text, whole.slice(-7));
  assert.equal((await range(`bytes=5-${size + 100}`)).text, whole.slice(5));
  for (const wrong of [`bytes=${size}-`, 'bytes=9-5', 'bytes=0-1,3-4', 'lines=1-2', 'bytes=-0']) {
    const refused = await range(wrong);
    assert.equal(refused.status, 416, wrong);
    assert.match(refused.text, /"code":"range-invalid".*"pointer":"Range"/);
  }
  assert.equal((await range('bytes=0-9')).status, 206, 'and it goes on');
}

function piecesOf({ events }: SseClient): z.output<typeof pieceSchema>[] {
  return events
    .filter(({ event }) => event === 'output')
    .map(({ data }) => pieceSchema.parse(data));
}

function joined(pieces: readonly { readonly base64: string }[]): string {
  return Buffer.concat(pieces.map(({ base64 }) => Buffer.from(base64, 'base64'))).toString();
}

function linesOf(text: string, begin: string): string {
  return text
    .split('\n')
    .filter((line) => line.startsWith(begin))
    .map((line) => `${line}\n`)
    .join('');
}

function numbered(word: string, count: number): string {
  return Array.from({ length: count }, (_, i) => `${word} ${i + 1}\n`).join('');
}

/** A connection of a client that takes the head of the answer, and then nothing. */
function openAndDoNotRead(url: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    get(url, { agent: false }, (response) => resolve(response.pause())).on('error', reject);
  });
}
