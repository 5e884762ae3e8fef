import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatAge, formatDuration, formatSpan } from '../../webroot/src/format/span.ts';
import { createServerClock } from '../../webroot/src/live/server-clock.ts';
import { holdOrder } from '../../webroot/src/ui/hold-order.ts';

const dateHeader = (ms: number): string => new Date(ms).toUTCString();

test('a browser whose clock is right is left alone', () => {
  let local = 1_700_000_000_400;
  const clock = createServerClock(() => local);
  for (let round = 0; round < 20; round++) {
    clock.observe(dateHeader(local + 5), local, local + 10);
    assert.equal(clock.now(), local);
    local += 1337;
  }
});

test('a browser whose clock is wrong is corrected, better with each answer', () => {
  const skewMs = -93_250;
  let server = 1_700_000_000_000;
  const clock = createServerClock(() => server + skewMs);
  const errors: number[] = [];
  for (let round = 0; round < 20; round++) {
    const sentAt = server + skewMs;
    clock.observe(dateHeader(server + 10), sentAt, sentAt + 20);
    errors.push(Math.abs(clock.now() - server));
    server += 1070;
  }
  assert.ok((errors[0] ?? Infinity) <= 520, `first ${errors[0]}`);
  assert.ok((errors.at(-1) ?? Infinity) <= 60, `last ${errors.at(-1)}`);
});

test('a stepped clock makes the newest answer count alone', () => {
  let local = 1_700_000_000_000;
  const clock = createServerClock(() => local);
  clock.observe(dateHeader(local), local, local + 5);
  local -= 3_600_000;
  const server = 1_700_000_002_000;
  clock.observe(dateHeader(server), local, local + 5);
  assert.ok(Math.abs(clock.now() - server) <= 510);
});

test('headers that say nothing change nothing', () => {
  const clock = createServerClock(() => 42);
  clock.observe(null, 0, 1);
  clock.observe('yesterday', 0, 1);
  assert.equal(clock.now(), 42);
});

test('spans are short and round to what is shown', () => {
  assert.equal(formatSpan(-5), '0s');
  assert.equal(formatSpan(59_400), '59s');
  assert.equal(formatSpan(59_600), '1m 00s');
  assert.equal(formatSpan(3_725_000), '1h 02m');
  assert.equal(formatSpan(90_061_000), '1d 1h');
  assert.equal(formatSpan(400 * 86_400_000), '1y 35d');
  assert.equal(formatAge(3_725_000), '1h');
  assert.equal(formatDuration(0.4), '0 ms');
  assert.equal(formatDuration(999), '999 ms');
  assert.equal(formatDuration(1250), '1.25 s');
  assert.equal(formatDuration(59_940), '59.9 s');
  assert.equal(formatDuration(125_000), '2m 05s');
});

const item = (id: string, value = 0) => ({ id, value });
const idOf = ({ id }: { readonly id: string }): string => id;

test('a held list keeps its order, updates in place and appends the next page', () => {
  const frozen = [item('b'), item('c'), item('d')];
  const fresh = [item('a', 1), item('c', 1), item('b', 1), item('e', 1)];
  const { items, gone, waiting } = holdOrder(frozen, fresh, idOf);
  assert.deepEqual(items, [item('b', 1), item('c', 1), item('d'), item('e', 1)]);
  assert.deepEqual([...gone], ['d']);
  assert.equal(waiting, 1);
});
