/** What is the same for every request: the guard, methods, headers, files, limits, the document. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, before, describe, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { EventStreams, type EventStream } from '../../master/http/event-stream.ts';
import { HttpServer } from '../../master/http/http-server.ts';
import { createSiteGuard } from '../../master/http/site-guard.ts';
import { StaticFiles, type FileRequest } from '../../master/http/static-files.ts';
import { isRecord } from '../../master/json-value.ts';
import { systemClock } from '../../shared/clock.ts';
import { isCronmeshError } from '../../shared/errors.ts';
import { ManualClock, settle } from '../support/manual-clock.ts';
import { MasterRig, rawRequest, type MasterClient } from './master-support.ts';

describe('HTTP of a master', () => {
  let rig: MasterRig;
  let client: MasterClient;

  before(async () => {
    rig = await MasterRig.start();
    client = await rig.master();
  });
  after(() => rig.stop());

  const raw = (method: string, path: string, headers: Record<string, string> = {}) =>
    rawRequest(client.url, { method, path, headers });

  test('HEAD beside GET, OPTIONS, and 405 with Allow', async () => {
    const head = await raw('HEAD', '/api/v1/jobs');
    assert.deepEqual([head.status, head.text], [200, '']);
    assert.ok(Number(head.headers['content-length']) > 0);
    assert.equal((await raw('HEAD', '/api/v1/stream')).status, 200, 'and opens no stream');
    assert.match((await client.ask('/metrics')).text, /^cronmesh_live_streams 0$/m);
    const options = await raw('OPTIONS', '/api/v1/jobs/x');
    assert.deepEqual(
      [options.status, options.headers.allow],
      [204, 'DELETE, GET, HEAD, OPTIONS, PUT'],
    );
    for (const [method, path, allow] of [
      ['POST', '/api/v1/jobs', 'GET, HEAD, OPTIONS'],
      ['GET', '/api/v1/jobs/x/run', 'OPTIONS, POST'],
      ['PATCH', '/api/v1/jobs/x', 'DELETE, GET, HEAD, OPTIONS, PUT'],
      ['TRACE', '/livez', 'GET, HEAD, OPTIONS'],
      ['POST', '/', 'GET, HEAD, OPTIONS'],
      ['DELETE', '/assets/x.js', 'GET, HEAD, OPTIONS'],
    ] as const) {
      const answer = await raw(method, path);
      assert.equal(answer.status, 405, `${method} ${path}`);
      assert.equal(answer.headers.allow, allow);
      assert.equal(answer.headers['content-type'], 'application/problem+json; charset=utf-8');
    }
  });

  test('what is not there is a problem under /api', async () => {
    for (const path of [
      '/api',
      '/api/',
      '/api/v2/jobs',
      '/api/v1/nothing',
      '/api/v1/jobs/',
      '/API/v1/jobs',
    ]) {
      const answer = await raw('GET', path, { accept: 'application/json' });
      assert.equal(answer.status, 404, path);
      assert.match(answer.text, /"code":"not-found"/, path);
    }
  });

  test('headers that browsers need, and an id for every answer', async () => {
    for (const path of ['/api/v1/jobs', '/', '/livez', '/api/v1/none']) {
      const { headers } = await raw('GET', path, { accept: 'text/html' });
      assert.equal(headers['x-content-type-options'], 'nosniff', path);
      assert.match(
        String(headers['content-security-policy']),
        /default-src 'self'.*frame-ancestors 'none'/,
      );
      assert.match(String(headers['x-request-id']), /^[0-9a-f-]{36}$/);
    }
    const given = await raw('GET', '/livez', { 'x-request-id': 'abcdef0123456789' });
    assert.equal(given.headers['x-request-id'], 'abcdef0123456789');
    const evil = await raw('GET', '/livez', { 'x-request-id': '<script>alert(1)</script>' });
    assert.match(String(evil.headers['x-request-id']), /^[0-9a-f-]{36}$/);
  });

  test('a name that was re-bound, and pages of others, are refused', async () => {
    const { port } = new URL(client.url);
    for (const host of ['localhost', `localhost:${port}`, '127.0.0.1:1', '[::1]:80', 'LOCALHOST']) {
      assert.equal((await raw('GET', '/livez', { host })).status, 200, host);
    }
    for (const host of [
      'evil.example',
      `evil.example:${port}`,
      'localhost.evil.example',
      '127.0.0.1.evil',
      '10.0.0.1',
    ]) {
      const answer = await raw('GET', '/api/v1/jobs', { host });
      assert.equal(answer.status, 403, host);
      assert.match(answer.text, /"code":"forbidden"/);
    }
    const forwarded = { host: 'evil.example', 'x-forwarded-host': 'localhost' };
    assert.equal((await raw('GET', '/livez', forwarded)).status, 403);
    const post = (headers: Record<string, string>) => raw('POST', '/api/v1/jobs/none/run', headers);
    const own = `http://localhost:${port}`;
    const host = `localhost:${port}`;
    assert.equal((await post({ host, origin: own })).status, 404, 'its own page may');
    assert.equal((await post({ host, origin: own, 'sec-fetch-site': 'same-origin' })).status, 404);
    for (const origin of [
      'https://evil.example',
      'null',
      'http://localhost:1',
      `${own}.evil.example`,
      'file://',
    ]) {
      assert.equal((await post({ host, origin })).status, 403, origin);
    }
    assert.equal((await post({ host, 'sec-fetch-site': 'cross-site' })).status, 403);
    assert.equal(
      (await raw('GET', '/api/v1/jobs', { origin: 'https://evil.example' })).status,
      200,
    );
  });

  test('names behind a proxy are configured; bound to more than loopback, any name goes', () => {
    const asks = (guard: ReturnType<typeof createSiteGuard>, host: string, origin?: string) => {
      try {
        guard.check({
          method: 'POST',
          headers: { host, ...(origin === undefined ? {} : { origin }) },
        });
        return true;
      } catch (error) {
        assert.ok(isCronmeshError(error, 'forbidden'));
        return false;
      }
    };
    const named = createSiteGuard('127.0.0.1', ['Cron.Example.com']);
    assert.ok(asks(named, 'cron.example.com', 'https://cron.example.com'));
    assert.ok(asks(named, 'localhost:8090', 'https://cron.example.com'), 'a proxy that sets Host');
    assert.ok(!asks(named, 'other.example.com'));
    const open = createSiteGuard('0.0.0.0', []);
    assert.ok(asks(open, '10.0.0.11:7300', 'http://10.0.0.11:7300'));
    assert.ok(!asks(open, '10.0.0.11:7300', 'http://evil.example'));
    assert.ok(!asks(createSiteGuard('0.0.0.0', ['only.example']), '10.0.0.11'));
  });

  test('every route is in the OpenAPI document, and every reference leads somewhere', async () => {
    const { body } = await client.expect(200, '/api/v1/openapi.json');
    assert.ok(isRecord(body) && body['openapi'] === '3.1.0');
    const paths = body['paths'];
    const components = isRecord(body['components']) ? body['components']['schemas'] : undefined;
    assert.ok(isRecord(paths) && isRecord(components));
    const text = JSON.stringify(body);
    for (const [, name = ''] of text.matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)) {
      assert.ok(isRecord(components[name]), name);
    }
    assert.doesNotMatch(text, /\$defs/);
    for (const name of ['Job', 'JobInput', 'Problem', 'HistoryRow', 'JobList']) {
      assert.ok(components[name], name);
    }
    let count = 0;
    for (const [path, operations] of Object.entries(paths)) {
      assert.ok(isRecord(operations));
      for (const [method, operation] of Object.entries(operations)) {
        count++;
        assert.ok(isRecord(operation) && isRecord(operation['responses']), `${method} ${path}`);
        // What the document names is what the server knows: only then is it not "no such path".
        const real = path.replaceAll(/\{\w+\}/g, 'x');
        const options = await raw('OPTIONS', real);
        assert.ok(
          options.headers.allow?.split(', ').includes(method.toUpperCase()),
          `${method} ${path}`,
        );
      }
    }
    const documented = new Set(
      Object.keys(paths).map((path) => path.replaceAll(/\{(\w+)\}/g, ':$1')),
    );
    for (const route of client.routes) assert.ok(documented.has(route.path), route.path);
    assert.equal(count, client.routes.length);
  });

  test('metrics are Prometheus text', async () => {
    const { text, headers } = await client.expect(200, '/metrics');
    assert.match(headers.get('content-type') ?? '', /version=0\.0\.4/);
    for (const line of text.trimEnd().split('\n')) {
      assert.match(line, /^(# (HELP|TYPE) \w+ .+|\w+(\{(\w+="[^"]*",?)+\})? -?[\d.]+)$/);
    }
    assert.match(text, /cronmesh_view_connected 1/);
    assert.match(
      text,
      /cronmesh_http_requests_total\{method="GET",route="\/livez",status="2xx"\} \d+/,
    );
  });
});

describe('limits of the server', () => {
  test('a request that never ends its head, or its body, is cut', async () => {
    const server = new HttpServer(
      { host: '127.0.0.1', port: 0 },
      systemClock,
      (request, response) => {
        request.resume();
        request.on('end', () => response.end('ok'));
      },
      { headersTimeout: 300, requestTimeout: 600, connectionsCheckingInterval: 50 },
    );
    await server.start();
    const slow = (text: string): Promise<string> =>
      new Promise((resolve) => {
        const socket = createConnection(server.address.port, '127.0.0.1', () => socket.write(text));
        let got = '';
        socket.on('data', (chunk) => {
          got += chunk.toString();
        });
        socket.on('error', () => undefined);
        socket.on('close', () => resolve(got));
      });
    const answers = await Promise.all([
      slow('GET / HTTP/1.1\r\nHost: x\r\n'),
      slow('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc'),
    ]);
    for (const answer of answers) assert.match(answer, /^HTTP\/1\.1 408 /);
    await server.stop();
  });
});

describe('event streams', () => {
  test('a heartbeat every 15 s, and an end that sends the client elsewhere', async () => {
    const clock = new ManualClock();
    const streams = new EventStreams(clock, 2);
    await streams.start();
    let opened: EventStream | undefined;
    const reply = streams.open((stream) => {
      opened = stream;
    });
    assert.ok('content' in reply && reply.content instanceof Readable);
    const body = reply.content;
    const read = (): string => String(body.read() ?? '');
    opened?.send('jobs', { names: ['a\nb'] }, '7');
    assert.equal(read(), 'retry: 2000\n\nid: 7\nevent: jobs\ndata: {"names":["a\\nb"]}\n\n');
    await clock.advance(14_000);
    assert.equal(read(), '');
    await clock.advance(1_500);
    assert.equal(read(), ': still here\n\n');
    await clock.advance(15_000);
    assert.equal(read(), ': still here\n\n');
    const other = streams.open(() => undefined);
    assert.throws(() => streams.open(() => undefined), isBusy);
    assert.ok('content' in other && other.content instanceof Readable);
    other.content.destroy();
    await settle();
    assert.equal(streams.count, 1, 'one that its client left is forgotten');
    await streams.stop();
    assert.equal(read(), 'retry: 500\n\n');
    assert.throws(() => streams.open(() => undefined), isBusy);
  });

  const isBusy = (error: unknown): boolean => isCronmeshError(error, 'busy');
});

describe("the console's files", () => {
  let folder = '';
  let files: StaticFiles;

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'cronmesh-files-'));
    const dist = join(folder, 'dist');
    mkdirSync(join(dist, 'assets'), { recursive: true });
    writeFileSync(join(dist, 'index.html'), '<!doctype html><title>console</title>');
    writeFileSync(join(dist, 'assets', 'app-1f2e.js'), 'console.log(1);'.repeat(100));
    writeFileSync(join(dist, 'favicon.svg'), '<svg/>');
    writeFileSync(join(folder, 'secret.txt'), 'secret');
    files = new StaticFiles(dist);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  const page = { accept: 'text/html', acceptEncoding: undefined, ifNoneMatch: undefined };
  const serve = (path: string, more: Partial<FileRequest> = {}) =>
    files.serve({ ...page, path, ...more });

  test('hashed files for ever, others asked for again, rooms get the page', async () => {
    const asset = await serve('/assets/app-1f2e.js');
    assert.ok(asset !== undefined && 'content' in asset);
    assert.match(asset.headers?.['Cache-Control'] ?? '', /immutable/);
    for (const path of ['/', '/jobs', '/jobs/my.job', '/runs/x%2Fy']) {
      const reply = await serve(path);
      assert.ok(reply !== undefined && 'content' in reply, path);
      assert.equal(reply.type, 'text/html; charset=utf-8');
      assert.equal(reply.headers?.['Cache-Control'], 'no-cache');
      const again = await serve(path, { ifNoneMatch: reply.headers?.['ETag'] });
      assert.equal(again?.status, 304);
    }
    assert.equal(await serve('/assets/gone.js'), undefined);
    assert.equal(await serve('/favicon.ico', { accept: 'image/*' }), undefined);
  });

  test('compressed when that is wanted', async () => {
    const reply = await serve('/assets/app-1f2e.js', { acceptEncoding: 'gzip, br' });
    assert.ok(reply !== undefined && 'content' in reply && Buffer.isBuffer(reply.content));
    assert.equal(reply.headers?.['Content-Encoding'], 'gzip');
    assert.match(gunzipSync(reply.content).toString(), /^console\.log/);
  });

  test('nothing outside the folder', async () => {
    for (const path of [
      '/../secret.txt',
      '/%2e%2e/secret.txt',
      '/..%2fsecret.txt',
      '/assets/../../secret.txt',
      '/%00',
      '/a\\..\\b',
      '/%zz',
    ]) {
      const reply = await serve(path, { accept: '*/*' });
      assert.equal(reply, undefined, path);
    }
  });

  test('a console that was not built says how to build it', async () => {
    const reply = await new StaticFiles(join(folder, 'none')).serve({ ...page, path: '/' });
    assert.ok(reply !== undefined && 'content' in reply && reply.status === 503);
    assert.ok(typeof reply.content === 'string');
    assert.match(reply.content, /npm run build/);
  });
});
