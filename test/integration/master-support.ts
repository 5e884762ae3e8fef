/**
 * Masters for tests, in this process, on port 0, over a real etcd and a real store; and a client that
 * holds every answer against the schema its route declares, whatever the test looks at.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { z } from 'zod';
import { createMaster, type Master } from '../../master/master.ts';
import { masterSchema } from '../../master/config.ts';
import { problemSchema } from '../../master/http/problem.ts';
import { isRecord } from '../../master/json-value.ts';
import { systemClock, type Clock } from '../../shared/clock.ts';
import { createEtcd } from '../../shared/etcd/create-etcd.ts';
import type { Etcd, KeyValue } from '../../shared/etcd/port.ts';
import { openHistory } from '../../shared/history/open-history.ts';
import type { HistoryStore } from '../../shared/history/port.ts';
import { createLogger } from '../../shared/log.ts';
import { createKeys, type Keys } from '../../shared/protocol/keys.ts';
import type { FireValue } from '../../shared/protocol/values.ts';
import { startEtcd, withPrefix, type TestEtcd } from '../support/etcd-server.ts';
import { waitFor } from '../support/server-process.ts';

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: unknown;
  readonly text: string;
}

export interface Ask {
  readonly method?: string;
  readonly json?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

export class MasterClient {
  readonly url: string;
  readonly #master: Master;

  get routes(): Master['routes'] {
    return this.#master.routes;
  }

  constructor(master: Master) {
    this.#master = master;
    this.url = `http://127.0.0.1:${master.address.port}`;
  }

  stop(): Promise<void> {
    return this.#master.stop();
  }

  async ask(path: string, ask: Ask = {}): Promise<Answer> {
    const method = ask.method ?? 'GET';
    const response = await fetch(`${this.url}${path}`, {
      method,
      headers: {
        ...(ask.json === undefined ? {} : { 'content-type': 'application/json' }),
        ...ask.headers,
      },
      ...(ask.json === undefined ? {} : { body: JSON.stringify(ask.json) }),
      ...(ask.signal === undefined ? {} : { signal: ask.signal }),
    });
    const text = await response.text();
    const type = response.headers.get('content-type') ?? '';
    const body: unknown = /[/+]json\b/.test(type) && text !== '' ? JSON.parse(text) : undefined;
    this.#hold(method, path, response, type, body);
    return { status: response.status, headers: response.headers, body, text };
  }

  /** As ask(), and the status must be this one. */
  async expect(status: number, path: string, ask: Ask = {}): Promise<Answer> {
    const answer = await this.ask(path, ask);
    assert.equal(answer.status, status, `${ask.method ?? 'GET'} ${path}: ${answer.text}`);
    return answer;
  }

  /** The body of a 200, parsed by a schema of the API. */
  async get<S extends z.ZodType>(schema: S, path: string): Promise<z.output<S>> {
    return schema.parse((await this.expect(200, path)).body);
  }

  /** A refusal: its problem document. */
  async refusal(
    status: number,
    path: string,
    ask: Ask = {},
  ): Promise<z.output<typeof problemSchema>> {
    return problemSchema.parse((await this.expect(status, path, ask)).body);
  }

  putNew(name: string, job: Readonly<Record<string, unknown>> = {}): Promise<Answer> {
    return this.expect(201, `/api/v1/jobs/${encodeURIComponent(name)}`, {
      method: 'PUT',
      json: { command: 'true', cronExpr: '0 0 1 1 *', ...job },
      headers: { 'if-none-match': '*' },
    });
  }

  #hold(method: string, path: string, response: Response, type: string, body: unknown): void {
    const place = `${method} ${path}`;
    assert.ok(response.headers.get('x-request-id'), place);
    if (type.startsWith('application/problem+json')) {
      const problem = problemSchema.parse(body);
      assert.equal(problem.status, response.status, place);
      assert.notEqual(problem.code, 'internal', place);
      return;
    }
    const pathname = path.replace(/\?.*$/, '');
    const route = this.#master.routes.find(
      (candidate) =>
        candidate.method === method &&
        new RegExp(`^${candidate.path.replaceAll('.', '\\.').replaceAll(/:\w+/g, '[^/]+')}$`).test(
          pathname,
        ),
    );
    if (route === undefined) return;
    const reply = route.replies[response.status];
    assert.ok(reply, `${place} answered ${response.status}, which it does not declare`);
    if (reply.schema === undefined) assert.equal(body, undefined, place);
    else if (type.startsWith('application/json')) reply.schema.parse(body);
  }
}

export class MasterRig {
  readonly folder = mkdtempSync(join(tmpdir(), 'cronmesh-master-'));
  readonly prefix = withPrefix('master');
  readonly keys: Keys = createKeys(this.prefix);
  readonly logger = createLogger('test', 'silent');
  readonly etcdServer: TestEtcd;
  readonly etcd: Etcd;
  readonly history: string;
  readonly store: HistoryStore;
  readonly #masters: Master[] = [];

  private constructor(etcdServer: TestEtcd, history: string | undefined) {
    this.etcdServer = etcdServer;
    this.history = history ?? `sqlite:${join(this.folder, 'history.db')}`;
    this.etcd = createEtcd({
      endpoints: etcdServer.endpoints,
      clock: systemClock,
      random: Math.random,
      logger: this.logger,
    });
    this.store = openHistory(this.history, { logger: this.logger, clock: systemClock });
  }

  /** History of any age is kept, unless `prunes`: samples are of years ago. */
  static async start(history?: string, prunes = false): Promise<MasterRig> {
    const rig = new MasterRig(await startEtcd(), history);
    if (!prunes) await rig.put(rig.keys.setting('history'), { maxAgeDays: 36_500 });
    await rig.store.start();
    return rig;
  }

  /** A master that listens; `isReady` waits until it has read etcd. */
  async master(
    settings: Readonly<Record<string, unknown>> = {},
    isReady = true,
    clock: Clock = systemClock,
  ): Promise<MasterClient> {
    const config = masterSchema.parse({
      etcd: this.etcdServer.endpoints,
      prefix: this.prefix,
      history: this.history,
      listen: '127.0.0.1:0',
      ...settings,
    });
    const master = createMaster(config, {
      logger: this.logger,
      clock,
      random: Math.random,
    });
    await master.start();
    this.#masters.push(master);
    const client = new MasterClient(master);
    if (isReady) {
      await waitFor(async () => (await client.ask('/readyz')).status === 200, {
        timeoutMs: 15_000,
        describe: () => 'the master is ready',
      });
    }
    return client;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#masters.map((master) => master.stop()));
    await this.store.stop();
    await this.etcd.close();
    await this.etcdServer.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Puts a key as somebody with etcdctl would; answers the revision. */
  async put(key: string, value: string | object): Promise<number> {
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    const { revision } = await this.etcd.txn({
      compare: [],
      success: [{ put: { key, value: text } }],
      failure: [],
    });
    return revision;
  }

  async delete(key: string): Promise<void> {
    await this.etcd.txn({ compare: [], success: [{ delete: { key } }], failure: [] });
  }

  async read(key: string): Promise<KeyValue | undefined> {
    return (await this.etcd.range({ key })).kvs[0];
  }

  async readText(key: string): Promise<string | undefined> {
    return (await this.read(key))?.value.toString();
  }

  /** All keys below `folder` (`trigger/`), as text to text. */
  async list(folder: string): Promise<Map<string, string>> {
    const key = `${this.prefix}/${folder}`;
    const { kvs } = await this.etcd.range({ key, rangeEnd: `${key.slice(0, -1)}0` });
    return new Map(kvs.map((kv) => [kv.key.slice(key.length), kv.value.toString()]));
  }

  /** An open fire, as a worker's claim would have written it. */
  async fire(job: string, tick: number, more: Partial<FireValue> = {}): Promise<FireValue> {
    const fire: FireValue = {
      v: 1,
      runId: `run-${job}-${tick}`,
      session: '7',
      worker: 'w1',
      jobCreate: 1,
      cause: 'tick',
      tick,
      attempt: 1,
      group: 'default',
      ...more,
    };
    await this.put(this.keys.fire(job, `t${tick}`), fire);
    return fire;
  }
}

/** One request whose bytes the test owns: headers that fetch would not let through, raw paths. */
export function rawRequest(
  url: string,
  options: {
    readonly method?: string;
    readonly path?: string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly body?: string | Buffer;
  },
): Promise<{ status: number; headers: IncomingMessage['headers']; text: string }> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      {
        host: hostname,
        port,
        agent: false,
        method: options.method ?? 'GET',
        path: options.path ?? '/',
        headers: { ...options.headers },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => {
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            text: Buffer.concat(chunks).toString(),
          });
        });
        response.on('error', reject);
      },
    );
    request.on('error', reject);
    request.end(options.body);
  });
}

export interface ServerEvent {
  readonly event: string;
  readonly data: unknown;
  readonly id: string | undefined;
}

/** Reads server-sent events, in the background, from now until close() or the end. */
export class EventReader {
  readonly events: ServerEvent[] = [];
  readonly lines: string[] = [];
  readonly headers: Headers;
  isEnded = false;
  readonly #abort: AbortController;

  private constructor(response: Response, abort: AbortController) {
    this.headers = response.headers;
    this.#abort = abort;
    void this.#read(response);
  }

  static async open(
    url: string,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<EventReader> {
    const abort = new AbortController();
    const response = await fetch(url, { headers, signal: abort.signal });
    assert.equal(response.status, 200);
    assert.match(response.headers.get('content-type') ?? '', /^text\/event-stream/);
    return new EventReader(response, abort);
  }

  /** The first event that passes, waiting for it. */
  async next(check: (event: ServerEvent) => boolean, timeoutMs = 10_000): Promise<ServerEvent> {
    return waitFor(() => this.events.find((event) => check(event)), {
      timeoutMs,
      describe: () => `an event; so far ${JSON.stringify(this.events).slice(0, 2_000)}`,
    });
  }

  async ended(timeoutMs = 10_000): Promise<void> {
    await waitFor(() => this.isEnded, { timeoutMs, describe: () => 'the end of the stream' });
  }

  close(): void {
    this.#abort.abort();
  }

  async #read(response: Response): Promise<void> {
    const decoder = new TextDecoder();
    let text = '';
    try {
      for await (const chunk of response.body ?? []) {
        text += decoder.decode(chunk as Uint8Array, { stream: true });
        const blocks = text.split('\n\n');
        text = blocks.pop() ?? '';
        for (const block of blocks) this.#take(block);
      }
    } catch {
      // Closed by the test, or cut.
    }
    this.isEnded = true;
  }

  #take(block: string): void {
    const fields = new Map<string, string>();
    for (const line of block.split('\n')) {
      this.lines.push(line);
      const colon = line.indexOf(': ');
      if (colon > 0) fields.set(line.slice(0, colon), line.slice(colon + 2));
    }
    const event = fields.get('event');
    if (event === undefined) return;
    const data: unknown = JSON.parse(fields.get('data') ?? 'null');
    this.events.push({ event, data, id: fields.get('id') });
  }
}

/** A field of a JSON object, for tests that look at one thing. */
export function fieldOf(value: unknown, name: string): unknown {
  return isRecord(value) ? value[name] : undefined;
}
