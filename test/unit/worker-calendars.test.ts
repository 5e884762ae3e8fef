import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readCalendarEntry, type CalendarMap } from '../../shared/calendar/calendar-entry.ts';
import type { KeyValue } from '../../shared/etcd/port.ts';
import type { JobInput } from '../../shared/job/definition.ts';
import { readJobEntry, scheduleTextOf } from '../../shared/mesh/job-entry.ts';
import type { JobParts } from '../../shared/mesh/view.ts';
import { adoptJob } from '../../shared/protocol/adopt.ts';
import { encodeCursor, parseCursor } from '../../shared/protocol/cursor.ts';
import { createKeys } from '../../shared/protocol/keys.ts';
import { createAccountant } from '../../shared/protocol/missed-span.ts';
import { decodeValue, doneSchema, type NotRunValue } from '../../shared/protocol/values.ts';
import type { OpenParts } from '../support/decide-parts.ts';
import { decide } from '../../worker/schedule/decide.ts';
import type { DecideContext, Decision } from '../../worker/schedule/decision.ts';

const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;
/** A Friday; 1 January 2027 in UTC. */
const newYear = Date.UTC(2027, 0, 1);
const guard = [{ name: 'c', modRevision: 11 }];

function keyValue(value: unknown, modRevision: number): KeyValue {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  const revisions = { createRevision: 5, modRevision, version: 1, lease: '0' };
  return { key: '', value: Buffer.from(text), ...revisions };
}

function calendars(value?: unknown): CalendarMap {
  if (value === undefined) return new Map();
  return new Map([['c', readCalendarEntry('c', keyValue(value, 11))]]);
}

function excluding(...dates: string[]): CalendarMap {
  return calendars({ name: 'c', mode: 'exclude', dates });
}

function part(job: Partial<JobInput>, tick: number): OpenParts {
  const whole = { name: 'a', command: 'true', calendars: ['c'], ...job };
  const entry = readJobEntry('a', keyValue(whole, 7));
  const raw = encodeCursor({ tick, schedule: scheduleTextOf(entry) });
  return {
    name: 'a',
    entry,
    cursor: { raw, modRevision: 9, cursor: parseCursor(raw) },
    state: undefined,
    fires: new Map(),
    triggers: new Map(),
    dones: new Map(),
    orders: new Map(),
    slots: new Map(),
    unreadable: { fire: new Map(), trigger: new Map() },
  };
}

const secondly = { cronExpr: '* * * * * *' };
const noon = { cronExpr: '0 12 * * *' };

function look(
  parts: JobParts,
  seen: CalendarMap,
  nowMs: number,
  more: Partial<DecideContext> = {},
): Decision {
  return decide(parts, {
    nowMs,
    calendars: seen,
    canClaim: () => true,
    canCatchUp: () => true,
    canDecide: () => true,
    sessionAlive: () => true,
    delayMs: () => 0,
    firstSeenMs: () => nowMs,
    ...more,
  });
}

const skip = (fromTick: number, toTick: number, excluded: number, date: string): Decision => ({
  kind: 'skip-excluded',
  span: { fromTick, toTick, count: 0, excluded },
  reason: `calendar "c" excludes ${date}`,
  calendars: guard,
});

describe('decisions under calendars', () => {
  it('claim a tick on an allowed date, and name the calendars they were made by', () => {
    const tick = newYear + 12 * hour;
    assert.deepEqual(look(part(noon, newYear), excluding('2027-01-02'), tick), {
      kind: 'claim-tick',
      tick,
      calendars: guard,
    });
  });

  it('pass over the tick of an excluded date when it is due, not before, and at once', () => {
    const tick = newYear + 12 * hour;
    const seen = excluding('2027-01-01');
    assert.deepEqual(
      look(part(noon, newYear - day), excluding('2026-12-31', '2027-01-01'), newYear),
      {
        ...skip(newYear - day, newYear - 12 * hour, 1, '2026-12-31'),
      },
    );
    const former = newYear - 12 * hour;
    assert.deepEqual(look(part(noon, former), seen, tick - 1), { kind: 'wait', untilMs: tick });
    assert.deepEqual(look(part(noon, former), seen, tick), skip(former, tick, 1, '2027-01-01'));
  });

  it('tell of a lone tick at once though the date before was excluded too', () => {
    const seen = excluding('sat', 'sun');
    const sunday = newYear + 2 * day + 12 * hour;
    const decision = look(part(noon, sunday - day), seen, sunday);
    assert.deepEqual(decision, skip(sunday - day, sunday, 1, '2027-01-03'));
  });

  it('gather what comes every second into a row a minute, after the first', () => {
    const seen = excluding('2027-01-01');
    const before = newYear - second;
    assert.deepEqual(
      look(part(secondly, before), seen, newYear),
      skip(before, newYear, 1, '2027-01-01'),
    );
    const job = part(secondly, newYear);
    const told = newYear + second + minute;
    assert.deepEqual(look(job, seen, newYear + second), { kind: 'wait', untilMs: told });
    assert.deepEqual(look(job, seen, told - 1), { kind: 'wait', untilMs: told });
    assert.deepEqual(look(job, seen, told + 400), skip(newYear, told, 61, '2027-01-01'));
  });

  it('close a stretch with its last tick, before the date changes', () => {
    const seen = excluding('2027-01-01');
    const last = newYear + day - second;
    const job = part(secondly, last - 10 * second);
    assert.deepEqual(look(job, seen, last - 5 * second), { kind: 'wait', untilMs: last });
    assert.deepEqual(look(job, seen, last), skip(last - 10 * second, last, 10, '2027-01-01'));
  });

  it('never claim a tick while excluded ones before it have no account', () => {
    const seen = excluding('2027-01-01');
    const next = newYear + day;
    const late = look(part(secondly, next - 10 * second), seen, next + 100);
    assert.deepEqual(late, skip(next - 10 * second, next - second, 9, '2027-01-01'));
    const waiting = look(part(secondly, next - 10 * second), seen, next + 100, {
      delayMs: () => 400,
    });
    assert.deepEqual(waiting, {
      kind: 'wait',
      untilMs: next + 500,
      afterOthersMs: next + 500,
    });
    const barred = look(part(secondly, next - 10 * second), seen, next + 100, {
      canDecide: () => false,
    });
    assert.equal(barred.kind, 'wait');
    assert.equal(look(part(secondly, next - second), seen, next + 100).kind, 'claim-tick');
  });

  it('go by the local date of the job', () => {
    const seen = excluding('2027-01-01');
    const tokyo = { ...noon, timezone: 'Asia/Tokyo', cronExpr: '0 8 * * *' };
    // 08:00 of 1 January in Tokyo is still 2026 in UTC.
    const tick = newYear - hour;
    assert.equal(look(part(tokyo, tick - day), seen, tick).kind, 'skip-excluded');
    assert.equal(look(part(tokyo, tick), seen, tick + day).kind, 'claim-tick');
    const every = { cronExpr: '@every 1h', timezone: 'Asia/Tokyo' };
    assert.equal(look(part(every, tick - hour), seen, tick).kind, 'skip-excluded');
  });

  it('write off what was missed, and count what was excluded in the middle of it', () => {
    const seen = excluding('sat', 'sun');
    const hourly = { cronExpr: '0 * * * *' };
    const friday = newYear + 12 * hour;
    const monday = newYear + 3 * day + 8 * hour + minute;
    const decision = look(part(hourly, friday), seen, monday);
    assert.equal(decision.kind, 'write-off');
    assert.deepEqual(decision, {
      kind: 'write-off',
      span: { fromTick: friday, toTick: monday - minute, count: 11 + 9, excluded: 48 },
      outcome: 'missed',
      reason: 'no worker started it in time',
      catchUp: [monday - minute],
      calendars: guard,
    });
  });

  it('count up to 10,000 excluded ticks of a year of silence, at once', () => {
    const seen = excluding('sat', 'sun');
    const decision = look(part(secondly, newYear), seen, newYear + 365 * day);
    assert.equal(decision.kind === 'write-off' && decision.span.excluded, 10_000);
    assert.equal(decision.kind === 'write-off' && decision.span.count, undefined);
  });

  it('catch up on allowed ticks only', () => {
    const seen = excluding('sat', 'sun');
    const daily = { ...noon, misfire: 'all', misfireLimit: 3 } as const;
    const tuesday = newYear + 4 * day + 13 * hour;
    const decision = look(part(daily, newYear - day), seen, tuesday);
    assert.deepEqual(decision.kind === 'write-off' && decision.catchUp, [
      newYear + 12 * hour,
      newYear + 3 * day + 12 * hour,
      newYear + 4 * day + 12 * hour,
    ]);
  });

  it('account for excluded ticks though all that was missed is caught up on', () => {
    const seen = excluding('sat', 'sun');
    const monday = newYear + 3 * day + 12 * hour;
    const decision = look(part(noon, newYear + 12 * hour), seen, monday + hour);
    assert.deepEqual(decision, {
      kind: 'write-off',
      span: { fromTick: newYear + 12 * hour, toTick: monday, count: 1, excluded: 2 },
      outcome: 'skipped',
      reason: 'calendar "c" excludes 2027-01-02 to 2027-01-03',
      catchUp: [monday],
      calendars: guard,
    });
  });

  it('pass over every tick of a calendar that is not there or not valid', () => {
    const job = part(noon, newYear);
    const tick = newYear + 12 * hour;
    const absent = look(job, calendars(), tick);
    assert.equal(absent.kind === 'skip-excluded' && absent.reason, 'calendar "c" does not exist');
    assert.deepEqual(absent.kind === 'skip-excluded' && absent.calendars, [
      { name: 'c', modRevision: 0 },
    ]);
    const broken = look(job, calendars('{'), tick);
    assert.equal(broken.kind === 'skip-excluded' && broken.reason, 'calendar "c" is not valid');
    // The same job, once the calendar is mended.
    assert.equal(look(job, excluding(), tick).kind, 'claim-tick');
  });

  it('leave ticks of a calendar of a newer form to newer workers, but not triggers', () => {
    const job = part(noon, newYear);
    const seen = calendars({ schemaVersion: 2, name: 'c' });
    const nowMs = newYear + 12 * hour;
    assert.deepEqual(look(job, seen, nowMs), { kind: 'wait' });
    job.triggers.set('m1', manual(nowMs));
    assert.equal(look(job, seen, nowMs).kind, 'claim-trigger');
  });

  it('run what people ask for on any date', () => {
    const job = part(noon, newYear + 12 * hour);
    const nowMs = newYear + 13 * hour;
    job.triggers.set('m1', manual(nowMs));
    assert.equal(look(job, excluding('2027-01-01'), nowMs).kind, 'claim-trigger');
  });

  it('adopt a job whose list of calendars changed, whatever the order in it', () => {
    const job = part({ ...noon, calendars: ['d', 'c'] }, newYear);
    assert.equal(look(job, new Map(), newYear).kind, 'wait');
    const other = part(noon, newYear);
    const entry = part({ ...noon, calendars: [] }, newYear).entry;
    assert.equal(look({ ...other, entry }, new Map(), newYear).kind, 'adopt');
  });
});

describe('an adoption of what counted with calendars', () => {
  const keys = createKeys('/cron');
  const adopted = (seen: CalendarMap): { done: NotRunValue; guards: unknown } => {
    const { cursor } = part(secondly, newYear - 10 * second);
    const txn = adoptJob({
      keys,
      name: 'a',
      group: 'default',
      jobModRevision: 8,
      jobCreateRevision: 5,
      cursorRaw: cursor?.raw,
      isNewLife: false,
      schedule: '-',
      calendars: seen,
      nowMs: newYear + 5 * second,
      accountant: createAccountant('s'),
    });
    const [value] = txn.success.flatMap((op) =>
      'put' in op && op.put.key.startsWith('/cron/done/') ? [op.put.value] : [],
    );
    const done = decodeValue(doneSchema, value ?? '');
    assert.ok(done !== undefined && done.outcome !== 'lost');
    return { done, guards: txn.compare.filter(({ key }) => key === keys.calendar('c')) };
  };

  it('tells what was missed, what was excluded, and guards the calendar', () => {
    const { done, guards } = adopted(excluding('2027-01-01'));
    assert.equal(done.outcome, 'missed');
    assert.deepEqual([done.count, done.excluded], [9, 6]);
    assert.equal(done.toTick, newYear + 5 * second);
    assert.deepEqual(guards, [{ key: '/cron/calendars/c', target: 'mod', op: '=', value: 11 }]);
  });

  it('is a skip where the calendars excluded all of it', () => {
    const { done } = adopted(excluding('2026-12-31..2027-01-01'));
    assert.equal(done.outcome, 'skipped');
    assert.deepEqual([done.count, done.excluded], [15, undefined]);
    assert.equal(done.reason, 'calendar "c" excludes 2026-12-31 to 2027-01-01');
  });

  it('takes a calendar that is gone to have allowed everything', () => {
    const { done, guards } = adopted(calendars());
    assert.equal(done.outcome, 'missed');
    assert.deepEqual([done.count, done.excluded], [15, undefined]);
    assert.deepEqual(guards, [{ key: '/cron/calendars/c', target: 'mod', op: '=', value: 0 }]);
  });
});

function manual(nowMs: number) {
  return {
    value: {
      v: 1,
      cause: 'manual',
      tick: nowMs,
      notBefore: nowMs,
      expires: nowMs + minute,
      attempt: 1,
      jobCreate: 5,
    },
    createRevision: 30,
    modRevision: 30,
  } as const;
}
