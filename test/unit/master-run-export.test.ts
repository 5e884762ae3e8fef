/**
 * Downloads of runs: CSV that any spreadsheet reads as it was written and runs nothing of, the choice
 * of a format, the limit, back pressure, and a download that breaks off rather than end too early.
 */
import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { test } from 'node:test';
import { csvHeader, csvRow } from '../../master/runs/csv-rows.ts';
import { chosenJobs } from '../../master/runs/chosen-jobs.ts';
import { exportFormatOf, exportRuns } from '../../master/runs/run-export.ts';
import { mergeDays, rated } from '../../master/runs/run-counts.ts';
import { zonedSpans } from '../../master/runs/zoned-spans.ts';
import { HttpServer } from '../../master/http/http-server.ts';
import { createApp } from '../../master/http/app.ts';
import { RequestCounter } from '../../master/http/http-metrics.ts';
import { defineRoute } from '../../master/http/route.ts';
import { createDispatch } from '../../master/http/router.ts';
import { createSiteGuard } from '../../master/http/site-guard.ts';
import { systemClock } from '../../shared/clock.ts';
import { isCronmeshError } from '../../shared/errors.ts';
import type { RunsPage } from '../../shared/history/port.ts';
import type { HistoryRow } from '../../shared/history/records.ts';
import { createLogger } from '../../shared/log.ts';

function rowOf(id: string, more: Partial<HistoryRow> = {}): HistoryRow {
  return { id, kind: 'run', job: 'backup', group: 'default', cause: 'tick', tick: 0, ...more };
}

/** Of endless history. */
function pages(rowsAPage = 250): {
  readonly asked: number[];
  pageOf: (limit: number, cursor: string | undefined) => Promise<RunsPage>;
} {
  const asked: number[] = [];
  return {
    asked,
    pageOf: async (limit, cursor) => {
      asked.push(limit);
      const start = Number(cursor ?? '0');
      const length = Math.min(limit, rowsAPage);
      const items = Array.from({ length }, (_, at) =>
        rowOf(`r${start + at}`, { command: 'x'.repeat(200) }),
      );
      return { items, nextCursor: String(start + length) };
    },
  };
}

async function contentOf(reply: Awaited<ReturnType<typeof exportRuns>>): Promise<Readable> {
  assert.ok('content' in reply && reply.content instanceof Readable);
  return reply.content;
}

async function textOf(stream: Readable): Promise<string> {
  return Buffer.concat(
    await stream.map((chunk: Buffer | string) => Buffer.from(chunk)).toArray(),
  ).toString();
}

test('CSV as RFC 4180 has it, and nothing in it that a spreadsheet would run', () => {
  const names = csvHeader.trimEnd().split(',');
  const line = csvRow(
    rowOf('a,b', {
      tick: Date.UTC(2026, 0, 2, 3, 4, 5, 678),
      startedAt: 1_000,
      endedAt: 3_500,
      outcome: 'failed',
      reason: 'it said "no"\nand left',
      command: '=HYPERLINK("http://evil.example";"x")',
      exitCode: 3,
    }),
  );
  assert.ok(csvHeader.endsWith('command\r\n') && line.endsWith('\r\n'));
  assert.ok(line.startsWith('"a,b",backup,default,run,tick,failed,2026-01-02T03:04:05.678Z,'));
  assert.ok(line.includes(',2500,'));
  assert.ok(line.includes('"it said ""no""\nand left"'));
  assert.ok(line.endsWith(`"'=HYPERLINK(""http://evil.example"";""x"")"\r\n`));
  for (const first of ['=', '+', '-', '@', '\t', '\r', '\n']) {
    const fields = csvRow(rowOf('x', { command: `${first}1` }));
    assert.match(
      fields,
      new RegExp(
        `,"?'\\${first === '\t' ? 't' : first === '\r' ? 'r' : first === '\n' ? 'n' : first}1"?\r\n$`,
      ),
    );
  }
  // No outcome: it runs; no number is touched; as many fields as names.
  assert.equal(csvRow(rowOf('x')).split(',').length, names.length);
  assert.ok(csvRow(rowOf('x', { tick: -5 })).includes(',running,1969-12-31T23:59:59.995Z,'));
});

test('which format is answered', () => {
  assert.equal(exportFormatOf(undefined, undefined), undefined);
  assert.equal(exportFormatOf(undefined, 'text/html,application/xhtml+xml,*/*;q=0.8'), undefined);
  assert.equal(exportFormatOf(undefined, 'application/json, text/csv'), undefined);
  assert.equal(exportFormatOf(undefined, 'text/csv;q=0.9, */*'), 'csv');
  assert.equal(exportFormatOf(undefined, 'application/x-ndjson'), 'jsonl');
  assert.equal(exportFormatOf('jsonl', 'text/csv'), 'jsonl');
  assert.equal(exportFormatOf('json', 'text/csv'), undefined);
});

test('a download ends at its limit, and asks for no more than that', async () => {
  const { asked, pageOf } = pages();
  const reply = await exportRuns('jsonl', 600, undefined, pageOf);
  assert.equal(reply.headers?.['X-Row-Limit'], '600');
  const ids = (await textOf(await contentOf(reply)))
    .trimEnd()
    .split('\n')
    .map((line) => (JSON.parse(line) as HistoryRow).id);
  assert.deepEqual([ids.length, ids[0], ids.at(-1)], [600, 'r0', 'r599']);
  assert.equal(new Set(ids).size, 600);
  assert.equal(asked.length, 3);
  const few = pages();
  await textOf(await contentOf(await exportRuns('csv', 7, undefined, few.pageOf)));
  assert.deepEqual(few.asked, [7]);
});

test('who does not read is not read for', async () => {
  const { asked, pageOf } = pages();
  const content = await contentOf(await exportRuns('csv', 1_000_000, undefined, pageOf));
  content.read(1);
  for (let turns = 0; turns < 200; turns++) await turn();
  assert.ok(asked.length <= 3, `${asked.length} pages`);
  content.destroy();
});

test('a store that fails in the middle breaks the answer off', async () => {
  const { pageOf } = pages();
  let failing = false;
  const route = defineRoute({
    method: 'GET',
    path: '/export',
    summary: '',
    tag: '',
    replies: { 200: { description: '' } },
    handle: () =>
      exportRuns('csv', 100_000, undefined, async (limit, cursor) => {
        if (failing) throw new Error('the store is gone');
        failing = cursor !== undefined;
        return pageOf(limit, cursor);
      }),
  });
  const app = createApp({
    dispatch: createDispatch([route], async () => undefined),
    guard: createSiteGuard('127.0.0.1', []),
    requests: new RequestCounter(),
    clock: systemClock,
    logger: createLogger('test', 'silent'),
  });
  const handle = app.callback();
  const server = new HttpServer(
    { host: '127.0.0.1', port: 0 },
    systemClock,
    (request, response) => {
      void handle(request, response);
    },
  );
  await server.start();
  try {
    const response = await fetch(`http://127.0.0.1:${server.address.port}/export`);
    assert.equal(response.status, 200);
    await assert.rejects(response.text());
  } finally {
    await server.stop();
  }
});

test('jobs by the beginning of their names and by labels', () => {
  const jobs = ['a', 'db-1', 'db-2', 'dbx', 'e'].map((name) => ({
    name,
    entry: {
      ok: true,
      job: { labels: name === 'db-2' ? { team: 'ops', tier: '1' } : { team: 'dev' } },
    },
  }));
  const index = {
    total: jobs.length,
    order: Uint32Array.from(jobs.keys()),
    at: (slot: number) => jobs[slot],
    placeOf: (name: string) => jobs.filter((job) => job.name < name).length,
  } as unknown as Parameters<typeof chosenJobs>[0];
  assert.equal(chosenJobs(index, {}), undefined);
  assert.deepEqual(chosenJobs(index, { job: ['gone'] }), ['gone']);
  assert.deepEqual(chosenJobs(index, { q: 'db' }), ['db-1', 'db-2', 'dbx']);
  assert.deepEqual(chosenJobs(index, { q: 'db', job: ['dbx', 'e'] }), ['dbx']);
  assert.deepEqual(chosenJobs(index, { q: 'zzz' }), []);
  assert.deepEqual(chosenJobs(index, { label: ['team=ops'] }), ['db-2']);
  assert.deepEqual(chosenJobs(index, { label: ['tier', 'team=dev'] }), []);
  assert.deepEqual(chosenJobs(index, { label: ['team'], q: 'e' }), ['e']);
  const many = {
    ...index,
    total: 201,
    order: new Uint32Array(201),
    at: () => jobs[0],
    placeOf: () => 0,
  } as unknown as typeof index;
  assert.throws(
    () => chosenJobs(many, { q: 'a' }),
    (error) => isCronmeshError(error, 'request-invalid') && error.problems[0]?.field === 'q',
  );
});

test('rates and days', () => {
  assert.deepEqual(rated({ succeeded: 3, failed: 1, killed: 9, missed: 2 }), {
    counts: { succeeded: 3, failed: 1, killed: 9, missed: 2 },
    failures: 1,
    successRate: 0.75,
  });
  assert.equal(rated({ killed: 1, skipped: 5 }).successRate, undefined);
  const merged = mergeDays([
    [{ day: '2026-03-29', counts: { succeeded: 1 } }],
    [
      { day: '2026-03-28', counts: { failed: 1 } },
      { day: '2026-03-29', counts: { succeeded: 2, lost: 1 } },
    ],
  ]);
  assert.deepEqual(merged, [
    { day: '2026-03-28', counts: { failed: 1 } },
    { day: '2026-03-29', counts: { succeeded: 3, lost: 1 } },
  ]);
  const from = Date.UTC(2026, 0, 1);
  const to = Date.UTC(2027, 0, 1);
  const [spring, autumn] = [Date.UTC(2026, 2, 29, 1), Date.UTC(2026, 9, 25, 1)];
  assert.deepEqual(zonedSpans('Europe/Berlin', from, to), [
    { from, to: spring, offsetMinutes: 60 },
    { from: spring, to: autumn, offsetMinutes: 120 },
    { from: autumn, to, offsetMinutes: 60 },
  ]);
  assert.deepEqual(zonedSpans('Asia/Kolkata', from, to), [{ from, to, offsetMinutes: 330 }]);
  assert.equal(zonedSpans('Europe/Berlin', spring, to).length, 2);
});
