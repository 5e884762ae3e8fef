/** What people and their consoles ask of a master, as a timetable for the process that asks. */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';

export interface AskedRequest {
  readonly kind: string;
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body?: string;
}

export interface AnsweredRequest {
  readonly kind: string;
  /** From when it was due to the last byte. */
  readonly ms: number;
  readonly bytes: number;
  readonly status: number;
}

export interface LoadRound {
  readonly url: string;
  readonly requests: readonly AskedRequest[];
  readonly everyMs: number;
}

const answersSchema = z.array(
  z.object({ kind: z.string(), ms: z.number(), bytes: z.number(), status: z.number() }),
);
const program = fileURLToPath(new URL('master-load-process.js', import.meta.url));

export class LoadProcess {
  readonly #child: ChildProcess = fork(program);

  /** Throws when a request is not answered with 200. */
  async ask(round: LoadRound): Promise<AnsweredRequest[]> {
    const answered = once(this.#child, 'message');
    this.#child.send(round);
    const [message] = (await answered) as unknown[];
    const answers = answersSchema.parse(message);
    const refused = answers.find(({ status }) => status !== 200);
    if (refused !== undefined) throw new Error(`${refused.kind} answered ${refused.status}`);
    return answers;
  }

  stop(): void {
    this.#child.disconnect();
  }
}

/** Cursors to go on from, by order. */
export type Cursors = ReadonlyMap<string, readonly string[]>;

const orders = ['-name', 'nextTick', '-nextTick', 'lastEnded', '-lastEnded'];
const filters = [
  'status=failing',
  'status=running',
  'status=paused',
  'status=ok',
  'enabled=true',
  'enabled=false&status=failing',
  'status=failing&status=running&sort=-lastEnded',
];

/** A second's worth: 50 requests, none twice within a second, and others in the next one. */
export function secondOfRequests(second: number, jobs: number, cursors: Cursors): AskedRequest[] {
  const list = (kind: string, query: string): AskedRequest => ({
    kind,
    method: 'GET',
    path: `/api/v1/jobs?${query}`,
  });
  const times = (count: number, make: (turn: number) => AskedRequest): AskedRequest[] =>
    Array.from({ length: count }, (_, index) => make(second * count + index));
  const word = (turn: number): string => `shard ${(turn * 7_919) % jobs}`;
  const nameOf = (turn: number): string => jobNameAt((turn * 104_729) % jobs);
  return spread([
    times(8, (turn) => list('list', `limit=${turn % 4 === 0 ? 200 : 50}`)),
    times(4, (turn) => list('filter', `group=g${turn % 40}&limit=50`)),
    times(5, (turn) => list('filter', filters[turn % filters.length] ?? '')),
    times(8, (turn) => list('sort', `sort=${orders[turn % orders.length]}`)),
    // As it is typed: each of them is another search.
    times(6, (turn) =>
      list(
        'search',
        `q=${encodeURIComponent(word(Math.floor(turn / 6)).slice(0, 3 + (turn % 6)))}`,
      ),
    ),
    times(2, (turn) => list('search', `q=job&group=g${turn % 40}&sort=nextTick`)),
    times(8, (turn) => {
      const sort = ['name', ...orders][turn % 6] ?? 'name';
      const known = cursors.get(sort) ?? [];
      return list('page', `sort=${sort}&cursor=${known[turn % known.length] ?? ''}`);
    }),
    times(4, (turn) => ({ kind: 'job', method: 'GET', path: `/api/v1/jobs/${nameOf(turn)}` })),
    times(2, (turn) => ({
      kind: 'preview',
      method: 'POST',
      path: '/api/v1/schedule/preview',
      body: JSON.stringify({
        cronExpr: `${turn % 60} ${turn % 24} * * 1-5`,
        timezone: 'Europe/Berlin',
      }),
    })),
    times(2, () => ({ kind: 'overview', method: 'GET', path: '/api/v1/overview' })),
    times(1, () => ({ kind: 'runs', method: 'GET', path: '/api/v1/runs?limit=50' })),
  ]);
}

export function jobNameAt(number: number): string {
  return `job-${String(number).padStart(6, '0')}`;
}

/** Kinds mixed, so that they do not come in heaps. */
function spread(kinds: readonly (readonly AskedRequest[])[]): AskedRequest[] {
  return kinds
    .flatMap((requests) =>
      requests.map((request, index) => ({ request, at: (index + 0.5) / requests.length })),
    )
    .toSorted((a, b) => a.at - b.at)
    .map(({ request }) => request);
}
