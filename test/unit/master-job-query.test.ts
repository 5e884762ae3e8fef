/**
 * Lists of jobs against a plain reading of the view: after any changes, every filter, order and page
 * answers what a filter and a sort of everything would.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CalendarUses } from '../../master/calendars/calendar-uses.ts';
import { HeldUpJobs } from '../../master/jobs/held-up-jobs.ts';
import { hasEntry, JobIndex, type JobWithEntry } from '../../master/jobs/job-index.ts';
import { JobQueries, jobSorts, type JobQuery } from '../../master/jobs/job-query.ts';
import { JobSearch } from '../../master/jobs/job-search.ts';
import { NextTicks } from '../../master/jobs/next-ticks.ts';
import type { KeyValue } from '../../shared/etcd/port.ts';
import { MeshView } from '../../shared/mesh/view.ts';
import { createKeys } from '../../shared/protocol/keys.ts';
import { SeededRandom } from '../simulation/seeded-random.ts';

const keys = createKeys('/cron');
const words = ['ledger', 'Backup', 'mail', 'report', 'É'];
const groups = ['default', 'night', 'day'];
const statuses = ['ok', 'paused', 'quarantined', 'running', 'failing', 'attention'] as const;

class Rig {
  nowMs = Date.UTC(2026, 0, 1);
  readonly clock = { wallMs: () => this.nowMs };
  readonly view = new MeshView(keys);
  readonly index = new JobIndex(this.view);
  readonly nextTicks = new NextTicks(this.view);
  readonly heldUp = new HeldUpJobs(this.view, new CalendarUses(this.view), this.clock);
  readonly search = new JobSearch(this.index);
  readonly queries = new JobQueries({
    index: this.index,
    search: this.search,
    nextTicks: this.nextTicks,
    heldUp: this.heldUp,
  });
  readonly #stored = new Map<string, KeyValue>();
  #revision = 1;

  constructor() {
    this.relist();
  }

  put(key: string, value: string): void {
    const revision = ++this.#revision;
    const former = this.#stored.get(key);
    const kv = {
      key,
      value: Buffer.from(value),
      createRevision: former?.createRevision ?? revision,
      modRevision: revision,
      version: 1,
      lease: '0',
    };
    this.#stored.set(key, kv);
    this.view.events([{ type: 'put', kv }], revision);
  }

  delete(key: string): void {
    if (!this.#stored.delete(key)) return;
    const modRevision = ++this.#revision;
    this.view.events([{ type: 'delete', key, modRevision }], modRevision);
  }

  relist(): void {
    this.view.reset();
    this.view.items([...this.#stored.values()].toSorted((a, b) => (a.key < b.key ? -1 : 1)));
    this.view.synced(this.#revision);
  }

  stop(): void {
    this.search.stop();
    this.index.stop();
  }
}

test('every list is what a filter and a sort of everything would be', () => {
  for (const seed of [1, 2, 3, 4]) {
    const rig = new Rig();
    const random = new SeededRandom(seed).next;
    const below = (count: number): number => Math.floor(random() * count);
    for (let round = 0; round < 60; round++) {
      for (let change = 0; change < 8; change++) changeSomething(rig, below);
      if (below(20) === 0) rig.relist();
      const nowMs = rig.nowMs;
      const query = someQuery(below);
      const expected = expectedOf(rig, query, nowMs);
      const told = JSON.stringify({ seed, round, query });
      const { names, total } = allPages(rig, query, nowMs);
      assert.deepEqual(names, expected, told);
      assert.equal(total, expected.length, told);
      countsAgree(rig);
    }
    rig.stop();
  }
});

test('so are lists that are too long to sort, in the worst order to look at them', () => {
  const rig = new Rig();
  for (let number = 0; number < 4_000; number++) {
    const name = `job-${String(number).padStart(4, '0')}`;
    const cronExpr = `${59 - (number % 60)} ${59 - Math.floor(number / 67)} * * * *`;
    rig.put(keys.job(name), JSON.stringify({ name, command: 'true', cronExpr }));
    rig.put(keys.state(name), stateText('succeeded', 1_000 + Math.floor(number / 3)));
  }
  for (const sort of jobSorts) {
    const { names } = allPages(rig, { limit: 450, sort }, rig.nowMs);
    assert.deepEqual(names, expectedOf(rig, { limit: 450, sort }, rig.nowMs), sort);
  }
  rig.stop();
});

function changeSomething(rig: Rig, below: (count: number) => number): void {
  const name = `job-${below(60)}`;
  const nowMs = rig.nowMs;
  switch (below(9)) {
    case 0:
      rig.delete(keys.job(name));
      return;
    case 1:
      rig.put(keys.job(name), '{"name":');
      return;
    case 2:
      rig.put(keys.cursor(name), cursorText(nowMs + (below(4) === 0 ? 7_200_000 : 0)));
      return;
    case 3:
      rig.put(keys.state(name), stateText(['succeeded', 'failed', 'killed'][below(3)], nowMs));
      return;
    case 4:
      rig.put(keys.fire(name, `t${below(2)}`), below(9) === 0 ? '?' : fireText(name, nowMs));
      return;
    case 5:
      rig.delete(keys.fire(name, `t${below(2)}`));
      return;
    case 6:
      rig.nowMs += below(90_000);
      return;
    case 7:
      if (below(3) > 0) rig.delete('/cron/calendars/holidays');
      else
        rig.put('/cron/calendars/holidays', '{"name":"holidays","mode":"exclude","dates":["sun"]}');
      return;
    default: {
      const cronExpr = `0 ${below(60)} * * * *`;
      const job = { name, command: words[below(5)], cronExpr, group: groups[below(3)] };
      const calendars = below(6) === 0 ? { calendars: ['holidays'] } : {};
      rig.put(keys.job(name), JSON.stringify({ ...job, ...calendars, enabled: below(4) > 0 }));
    }
  }
}

function cursorText(tick: number): string {
  return `${String(tick).padStart(16, '0')} 0 * * * * * UTC`;
}

function stateText(outcome: string | undefined, endedAt: number): string {
  return JSON.stringify({ v: 1, outcome, tick: endedAt, runId: 'r', worker: 'w', endedAt });
}

function fireText(name: string, tick: number): string {
  const run = { runId: `${name}-${tick}`, session: '1', worker: 'w', jobCreate: 1, cause: 'tick' };
  return JSON.stringify({ v: 1, ...run, tick, attempt: 1, group: 'default' });
}

function someQuery(below: (count: number) => number): JobQuery {
  return {
    limit: 1 + below(9),
    sort: jobSorts[below(jobSorts.length)] ?? 'name',
    ...(below(3) === 0 ? { q: (words[below(5)] ?? '').slice(0, 1 + below(6)).toUpperCase() } : {}),
    ...(below(3) === 0 ? { group: groups.slice(below(3)) } : {}),
    ...(below(4) === 0 ? { enabled: below(2) === 0 } : {}),
    ...(below(3) === 0 ? { status: statuses.filter(() => below(3) === 0) } : {}),
  };
}

function allPages({ queries }: Rig, query: JobQuery, nowMs: number) {
  const names: string[] = [];
  let cursor: string | undefined;
  let total = 0;
  do {
    const page = queries.select({ ...query, cursor }, nowMs);
    assert.ok(page.parts.length <= query.limit);
    names.push(...page.parts.map(({ name }) => name));
    ({ nextCursor: cursor, total } = page);
  } while (cursor !== undefined);
  return { names, total };
}

function expectedOf(rig: Rig, query: JobQuery, nowMs: number): string[] {
  const { q, group, enabled, status, sort } = query;
  const sign = sort.startsWith('-') ? -1 : 1;
  const heldUp = rig.heldUp.names();
  const keyOf = (parts: JobWithEntry): number | undefined => {
    if (sort.endsWith('nextTick')) return rig.nextTicks.of(parts, nowMs);
    return sort.endsWith('lastEnded') ? parts.state?.value.endedAt : 0;
  };
  return [...rig.view.snapshot.parts.values()]
    .filter(hasEntry)
    .filter(({ name, entry, fires, state }) => {
      const job = entry.ok ? entry.job : undefined;
      const text = `${name} ${job?.description} ${job?.command} ${job?.group}`.toLowerCase();
      const isFailing = job !== undefined && state?.value.outcome === 'failed';
      const has = {
        quarantined: job === undefined,
        paused: job?.enabled === false,
        running: fires.size > 0,
        failing: isFailing,
        attention: heldUp.has(name),
        ok: job?.enabled === true && !isFailing && !heldUp.has(name),
      };
      return (
        (q === undefined || text.includes(q.toLowerCase())) &&
        (group?.includes(job?.group ?? '') ?? true) &&
        (enabled === undefined || (job?.enabled ?? false) === enabled) &&
        (status?.some((each) => has[each]) ?? true)
      );
    })
    .toSorted((a, b) => {
      const byName = a.name < b.name ? -1 : 1;
      const [left, right] = [keyOf(a), keyOf(b)];
      if (sort.endsWith('name')) return sign * byName;
      if (left === right) return byName;
      if (left === undefined) return 1;
      return right === undefined ? -1 : sign * (left - right);
    })
    .map(({ name }) => name);
}

function countsAgree({ index, view, queries, nowMs }: Rig): void {
  const there = [...view.snapshot.parts.values()].filter(hasEntry);
  assert.equal(index.total, there.length);
  for (const kind of ['paused', 'quarantined', 'running', 'failing'] as const) {
    const query = { limit: 1, sort: 'name', status: [kind] } as const;
    assert.equal(index.count(kind), queries.select(query, nowMs).total, kind);
  }
  const counted = index.groups.counts.reduce((sum, count) => sum + count, 0);
  assert.equal(counted, there.length);
}
