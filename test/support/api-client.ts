/**
 * The API as a script of a user's would ask it: over HTTP alone, at whatever address stands in front
 * of the masters. Answers are checked for what the tests read from them, no more.
 */
import { z } from 'zod';
import type { JobInput } from '../../shared/job/definition.ts';

const rowSchema = z
  .object({
    id: z.string(),
    kind: z.enum(['run', 'not-run']),
    job: z.string(),
    tick: z.number(),
    outcome: z.string().optional(),
    reason: z.string().optional(),
    worker: z.string().optional(),
    startedAt: z.number().optional(),
    endedAt: z.number().optional(),
  })
  .loose();
const rowsSchema = z.object({ items: z.array(rowSchema) });
const jobsSchema = z.object({ items: z.array(z.object({ name: z.string() }).loose()) });
const workersSchema = z.object({
  items: z.array(z.object({ id: z.string(), pid: z.number(), state: z.string() }).loose()),
});

export type ApiRow = z.output<typeof rowSchema>;
export type ApiWorker = z.output<typeof workersSchema>['items'][number];

export interface ApiAnswer {
  readonly status: number;
  readonly text: string;
}

export class ApiClient {
  readonly url: string;

  /** `url` has no slash at its end. */
  constructor(url: string) {
    this.url = url;
  }

  /** Whatever the status; throws only when nothing answers. */
  async ask(
    method: string,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<ApiAnswer> {
    const response = await fetch(`${this.url}${path}`, {
      method,
      headers: {
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(15_000),
    });
    return { status: response.status, text: await response.text() };
  }

  /** Throws unless it answers with a status below 300. */
  async expect(
    method: string,
    path: string,
    body?: unknown,
    headers?: Readonly<Record<string, string>>,
  ): Promise<unknown> {
    const { status, text } = await this.ask(method, path, body, headers);
    if (status >= 300) throw new Error(`${method} ${path} answered ${String(status)}: ${text}`);
    return text === '' ? undefined : JSON.parse(text);
  }

  async createJob(job: JobInput): Promise<void> {
    await this.expect('PUT', `/api/v1/jobs/${job.name}`, job, { 'If-None-Match': '*' });
  }

  async jobNames(): Promise<string[]> {
    const page = jobsSchema.parse(await this.expect('GET', '/api/v1/jobs?limit=500'));
    return page.items.map(({ name }) => name);
  }

  /** Newest first. */
  async rows(query = ''): Promise<ApiRow[]> {
    return rowsSchema.parse(await this.expect('GET', `/api/v1/runs?limit=500&${query}`)).items;
  }

  async row(id: string): Promise<ApiRow> {
    return rowSchema.parse(await this.expect('GET', `/api/v1/runs/${id}`));
  }

  async workers(): Promise<ApiWorker[]> {
    return workersSchema.parse(await this.expect('GET', '/api/v1/workers')).items;
  }
}
