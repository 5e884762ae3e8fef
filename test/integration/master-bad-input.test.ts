/**
 * Bad input at the API: every refusal is a problem document with the field, what was expected and
 * what came; nothing is written; nothing is answered with 500; and the master goes on.
 */
import assert from 'node:assert/strict';
import { createConnection } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { jobDetailShape, jobListShape, previewShape } from '../../master/api/shapes.ts';
import { problemSchema } from '../../master/http/problem.ts';
import { MasterRig, rawRequest, type MasterClient } from './master-support.ts';

describe('bad input', () => {
  let rig: MasterRig;
  let client: MasterClient;

  before(async () => {
    rig = await MasterRig.start();
    client = await rig.master();
  });
  after(async () => {
    try {
      assert.equal(
        (await client.get(jobListShape, '/api/v1/jobs')).total,
        0,
        'nothing was written',
      );
    } finally {
      await rig.stop();
    }
  });

  const good = { command: 'true', cronExpr: '@daily' };
  const isNew = { 'if-none-match': '*' };
  const put = (name: string, json: unknown) =>
    client.ask(`/api/v1/jobs/${name}`, { method: 'PUT', json, headers: isNew });

  const badJobs: readonly (readonly [why: string, field: string, job: Record<string, unknown>])[] =
    [
      ['four fields', '/cronExpr', { cronExpr: '* * * *' }],
      ['eight fields', '/cronExpr', { cronExpr: '* * * * * * * *' }],
      ['empty schedule', '/cronExpr', { cronExpr: '' }],
      ['not a schedule', '/cronExpr', { cronExpr: 'every morning' }],
      ['out of range', '/cronExpr', { cronExpr: '60 * * * *' }],
      ['step of zero', '/cronExpr', { cronExpr: '*/0 * * * *' }],
      ['30 February', '/cronExpr', { cronExpr: '0 0 30 2 *' }],
      ['31 April', '/cronExpr', { cronExpr: '0 0 31 4 *' }],
      ['no leap year', '/cronExpr', { cronExpr: '0 0 0 29 2 * 2027' }],
      ['all in the past', '/cronExpr', { cronExpr: '0 0 0 1 1 * 1999' }],
      ['@every of nothing', '/cronExpr', { cronExpr: '@every 0s' }],
      ['NUL in a schedule', '/cronExpr', { cronExpr: '* * * * *\0' }],
      ['300 characters of schedule', '/cronExpr', { cronExpr: `0 ${'1,'.repeat(150)}1 * * *` }],
      ['number for a schedule', '/cronExpr', { cronExpr: 5 }],
      ['unknown time zone', '/timezone', { timezone: 'Mars/Olympus' }],
      ['empty time zone', '/timezone', { timezone: '' }],
      ['path for a time zone', '/timezone', { timezone: '../../etc/passwd' }],
      ['empty command', '/command', { command: '' }],
      ['blank command', '/command', { command: ' \n\t' }],
      ['NUL in a command', '/command', { command: 'a\0b' }],
      ['64 KiB and a byte', '/command', { command: 'x'.repeat(64 * 1024 + 1) }],
      ['64 KiB of wide characters', '/command', { command: 'ä'.repeat(33 * 1024) }],
      ['a list for a command', '/command', { command: ['ls'] }],
      ['negative timeout', '/timeoutSeconds', { timeoutSeconds: -1 }],
      ['no timeout at all', '/timeoutSeconds', { timeoutSeconds: 0 }],
      ['text for a number', '/timeoutSeconds', { timeoutSeconds: '60' }],
      ['NaN is null in JSON', '/timeoutSeconds', { timeoutSeconds: Number.NaN }],
      ['huge timeout', '/timeoutSeconds', { timeoutSeconds: 1e300 }],
      ['negative grace', '/killGraceSeconds', { killGraceSeconds: -0.5 }],
      ['a grace over the timeout', '/killGraceSeconds', { timeoutSeconds: 5, killGraceSeconds: 6 }],
      [
        'a grace over the timeout that is the default in numbers',
        '/killGraceSeconds',
        { timeoutSeconds: 5, killGraceSeconds: 10 },
      ],
      ['negative retries', '/retries/max', { retries: { max: -1 } }],
      ['retries after a success', '/retries/on/0', { retries: { max: 1, on: ['succeeded'] } }],
      ['an outcome named twice', '/retries/on', { retries: { max: 1, on: ['lost', 'lost'] } }],
      [
        'a last pause under the first',
        '/retries/maxBackoffSeconds',
        { retries: { max: 1, backoffSeconds: 60, maxBackoffSeconds: 5 } },
      ],
      ['an unknown field of retries', '/retries/jitter', { retries: { jitter: 1 } }],
      ['misfire all without a bound', '/misfireLimit', { misfire: 'all' }],
      ['a bound without misfire all', '/misfireLimit', { misfireLimit: 3 }],
      ['a number of runs where none may overlap', '/maxConcurrent', { maxConcurrent: 3 }],
      ['a start deadline of nothing', '/startDeadlineSeconds', { startDeadlineSeconds: 0 }],
      ['half a byte', '/maxOutputBytes', { maxOutputBytes: 1.5 }],
      ['negative bytes', '/maxOutputBytes', { maxOutputBytes: -1 }],
      ['unknown concurrency', '/concurrency', { concurrency: 'sometimes' }],
      ['text for a boolean', '/enabled', { enabled: 'yes' }],
      ['unknown field', '/comand', { comand: 'x' }],
      ['relative shell', '/shell', { shell: 'bash' }],
      ['relative folder', '/workingDirectory', { workingDirectory: './x' }],
      ['CRON_ variable', '/env/CRON_JOB', { env: { CRON_JOB: 'x' } }],
      ['variable with =', '/env/A=B', { env: { 'A=B': 'x' } }],
      ['NUL in a variable', '/env/A', { env: { A: '\0' } }],
      ['object for a variable', '/env/A', { env: { A: {} } }],
      ['bad label', '/labels/ ', { labels: { ' ': 'x' } }],
      ['group with a slash', '/group', { group: 'a/b' }],
      ['description too long', '/description', { description: 'x'.repeat(4001) }],
      ['null for a field', '/description', { description: null }],
      ['another name', '/name', { name: 'other' }],
      ['NUL in the name', '/name', { name: 'a\0' }],
    ];
  for (const [why, field, job] of badJobs) {
    test(`a job with ${why} names ${field}`, async () => {
      const answer = await put('bad', { ...good, ...job });
      assert.equal(answer.status, 422, answer.text);
      const problem = problemSchema.parse(answer.body);
      const error = problem.errors.find(({ pointer }) => pointer === field);
      assert.ok(error, answer.text);
      assert.ok(error.message !== '' && error.expected !== '' && error.got !== '', answer.text);
      assert.ok(error.got.length <= 100, 'the value is shortened');
    });
  }

  test('all that is wrong is told together', async () => {
    const answer = await put('bad', { command: '', cronExpr: 5, timeoutSeconds: -1, nonsense: 1 });
    const pointers = problemSchema.parse(answer.body).errors.map(({ pointer }) => pointer);
    assert.deepEqual(pointers.toSorted(), [
      '/command',
      '/cronExpr',
      '/nonsense',
      '/timeoutSeconds',
    ]);
  });

  test('calendars that are not there are told with all else that is wrong', async () => {
    const json = { ...good, timezone: 'Nowhere', calendars: ['away', 'a/b', 'gone'], retries: 5 };
    for (const query of ['', '?dryRun=true']) {
      const path = `/api/v1/jobs/bad${query}`;
      const refusal = await client.refusal(422, path, { method: 'PUT', json, headers: isNew });
      const fields = refusal.errors.map(({ pointer }) => pointer).toSorted();
      const expected = ['/calendars/0', '/calendars/1', '/calendars/2', '/retries', '/timezone'];
      assert.deepEqual(fields, expected);
    }
    const over = { command: 'true', cronExpr: '0 0 0 1 1 * 2001', calendars: ['away'] };
    const refusal = await client.refusal(422, '/api/v1/jobs/bad', {
      method: 'PUT',
      json: over,
      headers: isNew,
    });
    const fields = refusal.errors.map(({ pointer }) => pointer).toSorted();
    assert.deepEqual(fields, ['/calendars/0', '/cronExpr']);
  });

  test('a body that is no object', async () => {
    for (const json of [[], 'text', 5, null, true]) {
      const answer = await put('bad', json);
      assert.equal(answer.status, 422, answer.text);
      assert.equal(problemSchema.parse(answer.body).errors[0]?.pointer, '');
    }
  });

  test('names that are none', async () => {
    const names = [
      'a/b',
      '..',
      'a..b',
      'a\0b',
      'a\nb',
      'x'.repeat(129),
      '.hidden',
      ' a',
      '-a',
      '{{x}}',
    ];
    for (const name of names) {
      const path = `/api/v1/jobs/${encodeURIComponent(name).replaceAll('.', '%2E')}`;
      const answer = await rawRequest(client.url, {
        method: 'PUT',
        path,
        headers: { 'content-type': 'application/json', ...isNew },
        body: JSON.stringify(good),
      });
      assert.equal(answer.status, 400, `${JSON.stringify(name)}: ${answer.text}`);
      const problem = problemSchema.parse(JSON.parse(answer.text));
      assert.equal(problem.errors[0]?.pointer, 'name');
      const got = await rawRequest(client.url, { path });
      assert.equal(got.status, 400, got.text);
    }
    for (const path of ['/api/v1/jobs/%E0%A4%A', '/api/v1/jobs/%ff', '/api/v1/jobs/../jobs/x']) {
      const answer = await rawRequest(client.url, { path });
      assert.ok(answer.status === 400 || answer.status === 404, `${path}: ${answer.status}`);
      problemSchema.parse(JSON.parse(answer.text));
    }
  });

  test('queries: unknown names, repeats, and what is no number', async () => {
    const cases = [
      ['/api/v1/jobs?limit=ten', 'limit'],
      ['/api/v1/jobs?limit=1.5', 'limit'],
      ['/api/v1/jobs?limit=0', 'limit'],
      ['/api/v1/jobs?limit=-1', 'limit'],
      ['/api/v1/jobs?limit=501', 'limit'],
      ['/api/v1/jobs?limit=NaN', 'limit'],
      ['/api/v1/jobs?limit=', 'limit'],
      ['/api/v1/jobs?limit=1e2', 'limit'],
      ['/api/v1/jobs?limit=5&limit=6', 'limit'],
      ['/api/v1/jobs?limit[]=5', 'limit[]'],
      ['/api/v1/jobs?limit[a]=5', 'limit[a]'],
      ['/api/v1/jobs?__proto__=5', '__proto__'],
      ['/api/v1/jobs?constructor=5', 'constructor'],
      ['/api/v1/jobs?sort=size', 'sort'],
      ['/api/v1/jobs?enabled=1', 'enabled'],
      ['/api/v1/jobs?status=fine', 'status'],
      ['/api/v1/jobs?q=a&q=b', 'q'],
      [`/api/v1/jobs?q=${'x'.repeat(300)}`, 'q'],
      ['/api/v1/jobs/x?verbose=1', 'verbose'],
      ['/api/v1/runs?from=yesterday', 'from'],
      ['/api/v1/runs?from=-1', 'from'],
      ['/api/v1/runs?order=up', 'order'],
      ['/api/v1/runs?outcome=fine', 'outcome'],
      ['/api/v1/runs?cursor=!!!', 'cursor'],
      ['/api/v1/runs?outcome=running&cursor=!!!', 'cursor'],
      ['/api/v1/runs/x/output?from=-1', 'from'],
      ['/api/v1/runs/x/output?limitBytes=0', 'limitBytes'],
      ['/api/v1/runs/x/output/stream?from=x', 'from'],
      ['/api/v1/stream?topics=all', 'topics'],
      ['/api/v1/stream?topics=', 'topics'],
      ['/api/v1/workers?x', 'x'],
    ] as const;
    for (const [path, field] of cases) {
      const problem = await client.refusal(400, path);
      const error = problem.errors.find(({ pointer }) => pointer.replace(/^\//, '') === field);
      assert.ok(error, `${path}: ${JSON.stringify(problem)}`);
      assert.ok(error.expected !== '' && error.got !== '', path);
    }
  });

  test('bodies: malformed, empty, not JSON, compressed, not UTF-8, too large', async () => {
    const path = '/api/v1/jobs/bad';
    const send = (headers: Record<string, string>, body: string | Buffer) =>
      rawRequest(client.url, { method: 'PUT', path, headers: { ...isNew, ...headers }, body });
    const json = { 'content-type': 'application/json' };
    const malformed = await send(json, '{"command": "x",\n "cronExpr": @daily}');
    assert.equal(malformed.status, 400);
    const problem = problemSchema.parse(JSON.parse(malformed.text));
    assert.equal(problem.code, 'body-malformed');
    assert.match(problem.detail, /line 2, column 14/);
    assert.equal((await send(json, '')).status, 400);
    assert.equal((await send(json, Buffer.from([0x22, 0xff, 0x22]))).status, 400);
    assert.equal((await send(json, '['.repeat(100_000))).status, 400);
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data',
      '',
    ]) {
      assert.equal((await send({ 'content-type': type }, '{}')).status, 415, type);
    }
    assert.equal((await send({ ...json, 'content-encoding': 'gzip' }, '{}')).status, 415);
    assert.equal(
      (await send({ 'content-type': 'application/json; charset=latin1' }, '{}')).status,
      415,
    );
    assert.equal(
      (await send({ 'content-type': 'application/json; charset=UTF-8' }, '{}')).status,
      422,
    );
    const large = JSON.stringify({ ...good, description: 'x'.repeat(300 * 1024) });
    assert.equal((await send(json, large)).status, 413);
    const chunked = await send({ ...json, 'transfer-encoding': 'chunked' }, large);
    assert.equal(chunked.status, 413);
    problemSchema.parse(JSON.parse(chunked.text));
  });

  test('duplicate keys and __proto__ do no harm', async () => {
    const path = '/api/v1/jobs/proto?dryRun=true';
    const headers = { 'content-type': 'application/json' };
    for (const body of [
      '{"command":"true","cronExpr":"@daily","__proto__":{"enabled":false}}',
      '{"command":"true","cronExpr":"@daily","constructor":{"prototype":{}}}',
    ]) {
      const answer = await rawRequest(client.url, { method: 'PUT', path, headers, body });
      assert.equal(answer.status, 422, answer.text);
    }
    const twice = '{"command":"a","command":"b","cronExpr":"@daily","labels":{"__proto__":"x"}}';
    const answer = await rawRequest(client.url, { method: 'PUT', path, headers, body: twice });
    assert.ok(answer.status === 200 || answer.status === 422, answer.text);
    assert.equal(Object.hasOwn(Object.prototype, 'enabled'), false);
  });

  test('orders: bodies and headers', async () => {
    for (const json of [{ graceSeconds: -1 }, { graceSeconds: 'x' }, { grace: 1 }, []]) {
      await client.refusal(400, '/api/v1/jobs/x/kill', { method: 'POST', json });
      await client.refusal(400, '/api/v1/runs/x/kill', { method: 'POST', json });
    }
    await client.refusal(400, '/api/v1/jobs/x/run', { method: 'POST', json: { tick: 1 } });
    await client.refusal(404, '/api/v1/jobs/x/run', { method: 'POST', json: {} });
    await client.refusal(404, '/api/v1/jobs/x/kill', { method: 'POST' });
    await client.refusal(404, '/api/v1/runs/x/kill', { method: 'POST' });
    const refusal = await client.refusal(400, '/api/v1/jobs/x/run', {
      method: 'POST',
      headers: { 'idempotency-key': 'x'.repeat(256) },
    });
    assert.equal(refusal.errors[0]?.pointer, 'Idempotency-Key');
    for (const path of [
      '/api/v1/runs/x',
      '/api/v1/runs/x/output',
      '/api/v1/runs/x/output/stream',
    ]) {
      await client.refusal(404, path);
    }
    await client.refusal(400, '/api/v1/runs/a%00b');
    await client.refusal(400, '/api/v1/runs/x/output/stream', {
      headers: { 'last-event-id': 'abc' },
    });
  });

  test('schedule preview: what is wrong, beside its field', async () => {
    const path = '/api/v1/schedule/preview';
    const preview = (json: unknown) => ({ method: 'POST', json });
    const wrong = await client.refusal(422, path, preview({ cronExpr: '99 * * * *' }));
    assert.equal(wrong.code, 'schedule-invalid');
    assert.equal(wrong.errors[0]?.pointer, '/cronExpr');
    const zone = await client.refusal(
      422,
      path,
      preview({ cronExpr: '* * * * *', timezone: 'Europe/Berln' }),
    );
    assert.equal(zone.errors[0]?.pointer, '/timezone');
    for (const json of [
      {},
      { cronExpr: 1 },
      { cronExpr: '@daily', count: 0 },
      { cronExpr: '@daily', count: 101 },
      { cronExpr: '@daily', after: 'now' },
    ]) {
      await client.refusal(400, path, preview(json));
    }
    const answer = await client.expect(
      200,
      path,
      preview({
        cronExpr: '30 2 * * *',
        timezone: 'Europe/Berlin',
        count: 3,
        after: Date.UTC(2026, 2, 28, 12),
      }),
    );
    const shown = previewShape.parse(answer.body);
    assert.equal(shown.kind, 'fixed');
    assert.deepEqual(shown.ticks[0], { tick: Date.UTC(2026, 2, 29, 1), note: 'moved-out-of-gap' });
    assert.equal(shown.ticks.length, 3);
  });

  test('template-like and markup-like text is kept as it is', async () => {
    const name = 'harmless';
    const command = 'echo "${HOME} {{x}} %(x)s <script>alert(1)</script> \u001b[31m"';
    await client.putNew(name, { command, description: '<b>{{7*7}}</b>' });
    const shown = await client.get(jobDetailShape, `/api/v1/jobs/${name}`);
    assert.equal(shown.job?.command, command);
    await client.expect(204, `/api/v1/jobs/${name}`, {
      method: 'DELETE',
      headers: { 'if-match': '*' },
    });
  });

  test('broken HTTP is refused and the master goes on', async () => {
    const port = Number(new URL(client.url).port);
    const talk = (text: string): Promise<string> =>
      new Promise((resolve, reject) => {
        const socket = createConnection(port, '127.0.0.1', () => socket.write(text));
        let got = '';
        socket.on('data', (chunk) => {
          got += chunk.toString();
        });
        socket.on('close', () => resolve(got));
        socket.on('error', reject);
      });
    assert.match(await talk('NONSENSE\r\n\r\n'), /^HTTP\/1\.1 400 /);
    const head = 'GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n';
    assert.match(await talk(`${head}X: ${'x'.repeat(20_000)}\r\n\r\n`), /^HTTP\/1\.1 431 /);
    assert.match(await talk('GET /livez HTTP/1.1\r\n\r\n'), /^HTTP\/1\.1 400 /);
    assert.match(
      await talk(`${head}Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\nabc`),
      /^HTTP\/1\.1 400 /,
    );
    assert.match(await talk(`${head}\r\n`), /^HTTP\/1\.1 200 /);
    const long = await rawRequest(client.url, { path: `/api/v1/jobs?q=${'x'.repeat(9_000)}` });
    assert.equal(long.status, 400);
    assert.equal((await rawRequest(client.url, { method: 'OPTIONS', path: '*' })).status, 204);
    await client.expect(200, '/livez');
  });
});
