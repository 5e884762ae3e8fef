/** One master over two cells of one etcd, each with its own keys, history and addresses. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { z } from 'zod';
import { cellListShape, readinessShape } from '../../master/api/shapes.ts';
import { openHistory } from '../../shared/history/open-history.ts';
import { systemClock } from '../../shared/clock.ts';
import { createKeys } from '../../shared/protocol/keys.ts';
import { notRun } from '../support/history-samples.ts';
import { EventReader, MasterRig, type MasterClient, type ServerEvent } from './master-support.ts';

const etagOf = (headers: Headers): string => headers.get('etag') ?? '';
const html = { headers: { accept: 'text/html' } };

describe('two cells under one master', () => {
  let rig: MasterRig;
  let master: MasterClient;
  let prefixes: Readonly<Record<'a' | 'b', string>>;

  before(async () => {
    rig = await MasterRig.start();
    prefixes = { a: `${rig.prefix}-a`, b: `${rig.prefix}-b` };
    master = await rig.master({
      prefix: undefined,
      cells: [`a=${prefixes.a}`, `b=${prefixes.b}`],
      history: `sqlite:${join(rig.folder, 'history-{cell}.db')}`,
    });
    for (const cell of ['a', 'b']) {
      await master.expect(201, `/cells/${cell}/api/v1/jobs/backup`, {
        method: 'PUT',
        json: { command: `echo ${cell}`, cronExpr: '0 0 1 1 *' },
        headers: { 'if-none-match': '*' },
      });
    }
  });
  after(() => rig.stop());

  it('keeps jobs of one name apart: an edit is seen in its cell alone', async () => {
    const job = '/api/v1/jobs/backup';
    const other = await master.expect(200, `/cells/b${job}`);
    const own = await master.expect(200, `/cells/a${job}`);
    await master.expect(200, `/cells/a${job}`, {
      method: 'PUT',
      json: { command: 'echo changed', cronExpr: '0 0 1 1 *' },
      headers: { 'if-match': etagOf(own.headers) },
    });
    assert.match((await master.expect(200, `/cells/a${job}`)).text, /echo changed/);
    const unchanged = await master.expect(200, `/cells/b${job}`);
    assert.equal(etagOf(unchanged.headers), etagOf(other.headers));
    assert.match(unchanged.text, /echo b/);
    assert.match((await rig.readText(createKeys(prefixes.a).job('backup'))) ?? '', /echo changed/);
    assert.match((await rig.readText(createKeys(prefixes.b).job('backup'))) ?? '', /echo b/);
  });

  it('reads the history of each from a store of its own', async () => {
    const history = `sqlite:${join(rig.folder, 'history-b.db')}`;
    const store = openHistory(history, { logger: rig.logger, clock: systemClock });
    await store.start();
    try {
      await store.ingest([notRun('backup@1')]);
    } finally {
      await store.stop();
    }
    const total = async (cell: string): Promise<number> =>
      z
        .object({ items: z.array(z.unknown()) })
        .parse((await master.expect(200, `/cells/${cell}/api/v1/runs`)).body).items.length;
    assert.equal(await total('a'), 0);
    assert.equal(await total('b'), 1);
  });

  it('lists them, and says of each whether it is in sight', async () => {
    await master.expect(201, '/cells/b/api/v1/jobs/second', {
      method: 'PUT',
      json: { command: 'true', cronExpr: '0 0 1 1 *' },
      headers: { 'if-none-match': '*' },
    });
    const { items } = await master.get(cellListShape, '/api/v1/cells');
    assert.deepEqual(
      items.map(({ name, prefix, jobs, running, etcd }) => ({ name, prefix, jobs, running, etcd })),
      [
        { name: 'a', prefix: prefixes.a, jobs: 1, running: 0, etcd: 'ok' },
        { name: 'b', prefix: prefixes.b, jobs: 2, running: 0, etcd: 'ok' },
      ],
    );
  });

  it('has nothing for a cell that is not there, nor outside of cells', async () => {
    for (const path of ['/cells/c/api/v1/jobs', '/cells/c/', '/cells/c', '/cells//jobs']) {
      for (const ask of [{}, html]) {
        const problem = await master.refusal(404, path, ask);
        assert.match(problem.detail ?? '', /There is no cell .* there are a, b/, path);
      }
    }
    await master.refusal(404, '/cells/c/api/v1/jobs/x', { method: 'DELETE' });
    await master.refusal(404, '/api/v1/jobs');
    await master.refusal(404, '/cells/a/api/v1/nothing', html);
    await master.refusal(404, '/cells/a/api/v1/cells');
    await master.refusal(405, '/cells/a/api/v1/jobs', { method: 'DELETE' });
  });

  it('leads from the root, and from links of a time before the cells, to the first', async () => {
    for (const [path, target] of [
      ['/', '/cells/a/'],
      ['/jobs/backup?q=1', '/cells/a/jobs/backup?q=1'],
    ] as const) {
      const answer = await fetch(`${master.url}${path}`, { redirect: 'manual', ...html });
      assert.equal(answer.status, 307);
      assert.equal(answer.headers.get('location'), target);
    }
    // Built or not, it is the console's page.
    const page = await fetch(`${master.url}/cells/b/jobs/backup`, html);
    assert.match(page.headers.get('content-type') ?? '', /^text\/html/);
  });

  it('streams what changes in one cell to those who watch it', async () => {
    const events = await EventReader.open(`${master.url}/cells/a/api/v1/stream?topics=jobs`);
    await events.next(({ event }) => event === 'snapshot');
    for (const cell of ['b', 'a']) {
      await master.expect(201, `/cells/${cell}/api/v1/jobs/seen-in-${cell}`, {
        method: 'PUT',
        json: { command: 'true', cronExpr: '0 0 1 1 *' },
        headers: { 'if-none-match': '*' },
      });
    }
    const isAbout = (name: string) => (event: ServerEvent) =>
      JSON.stringify(event.data).includes(name);
    await events.next(isAbout('seen-in-a'));
    assert.ok(!events.events.some(isAbout('seen-in-b')));
    events.close();
  });

  it('answers for all of them together, each by its name', async () => {
    const { checks } = await master.get(readinessShape, '/readyz');
    assert.deepEqual(
      checks.map(({ name, cell }) => `${name} ${cell ?? '-'}`),
      ['etcd -', 'view a', 'store a', 'restore a', 'view b', 'store b', 'restore b'],
    );
    const { text } = await master.expect(200, '/metrics');
    assert.match(text, /^cronmesh_jobs\{kind="active",cell="a"\} \d+$/m);
    assert.match(text, /^cronmesh_view_connected\{cell="b"\} 1$/m);
    assert.match(
      text,
      /^cronmesh_http_requests_total\{method="PUT",route="\/api\/v1\/jobs\/:name",status="2xx",cell="b"\} \d+$/m,
    );
  });

  it('documents what is at the root, and each cell what is in it', async () => {
    const document = z.looseObject({
      paths: z.record(z.string(), z.unknown()),
      servers: z.array(z.object({ url: z.string() })).optional(),
    });
    const root = await master.get(document, '/api/v1/openapi.json');
    assert.ok('/api/v1/cells' in root.paths && !('/api/v1/jobs' in root.paths));
    const inside = await master.get(document, '/cells/b/api/v1/openapi.json');
    assert.deepEqual(inside.servers, [{ url: '/cells/b' }]);
    assert.ok('/api/v1/jobs' in inside.paths && !('/api/v1/cells' in inside.paths));
  });

  it('shows nothing of cells where there are none', async () => {
    const alone = await rig.master();
    await alone.refusal(404, '/api/v1/cells');
    await alone.refusal(404, '/cells/a/', html);
    const { text } = await alone.expect(200, '/metrics');
    assert.doesNotMatch(text, /cell=/);
    const { checks } = await alone.get(readinessShape, '/readyz');
    assert.deepEqual(
      checks.map(({ name }) => name),
      ['etcd', 'view', 'store', 'restore'],
    );
  });
});
