/** How output becomes pieces, and alarms that never ring early: on a clock that the test moves. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Clock } from '../../shared/clock.ts';
import { Alarm } from '../../worker/guardian/alarm.ts';
import { BufferPool } from '../../worker/guardian/buffer-pool.ts';
import { OutputRelay } from '../../worker/guardian/output-relay.ts';
import { OutputTail } from '../../worker/guardian/output-tail.ts';

class TestClock implements Clock {
  nowMs = 1000;
  readonly timers = new Set<{ atMs: number; callback: () => void }>();
  /** Timers ring this much too soon, as the system's do by a fraction of a millisecond. */
  earlyMs = 0;
  /** No timer waits longer than this, as the system's end at 25 days. */
  longestMs = Infinity;

  wallMs(): number {
    return this.nowMs;
  }

  soon(callback: () => void): void {
    setImmediate(callback);
  }

  monotonicMs(): number {
    return this.nowMs;
  }

  after(delayMs: number, callback: () => void): () => void {
    const atMs = this.nowMs + Math.min(delayMs, this.longestMs) - this.earlyMs;
    const timer = { atMs: Math.max(this.nowMs, atMs), callback };
    this.timers.add(timer);
    return () => this.timers.delete(timer);
  }

  advanceTo(toMs: number): void {
    for (;;) {
      const [next] = [...this.timers]
        .filter((timer) => timer.atMs <= toMs)
        .toSorted((left, right) => left.atMs - right.atMs);
      if (next === undefined) break;
      this.timers.delete(next);
      this.nowMs = Math.max(this.nowMs, next.atMs);
      // Early timers would otherwise be armed again without time passing.
      if (this.earlyMs > 0) this.nowMs += this.earlyMs / 2;
      next.callback();
    }
    this.nowMs = toMs;
  }
}

function createRelay(maxBytes: number): {
  clock: TestClock;
  relay: OutputRelay;
  pieces: string[];
} {
  const clock = new TestClock();
  const pieces: string[] = [];
  const relay = new OutputRelay(clock, new BufferPool(), maxBytes, (piece, data, bytes, onSent) => {
    const text = Buffer.concat(data).toString();
    assert.equal(bytes, text.length);
    const shown = text.length > 20 ? `${text.slice(0, 3)}...` : text;
    pieces.push(`${String(piece.at)} ${piece.stream}@${String(piece.offset)} ${shown}`);
    onSent();
  });
  return { clock, relay, pieces };
}

/** Pieces as the whole text that they are. */
function createTextRelay(maxBytes: number): { relay: OutputRelay; texts: string[] } {
  const texts: string[] = [];
  const relay = new OutputRelay(
    new TestClock(),
    new BufferPool(),
    maxBytes,
    ({ stream, offset }, data, _, onSent) => {
      texts.push(`${stream}@${offset} ${Buffer.concat(data).toString()}`);
      onSent();
    },
  );
  return { relay, texts };
}

test('while somebody waits for it, what is there goes at once, and then every 20 ms', () => {
  const { clock, relay, pieces } = createRelay(1000);
  relay.push('stdout', Buffer.from('a'));
  relay.hurry(true);
  assert.deepEqual(pieces, ['1000 stdout@0 a']);
  relay.push('stdout', Buffer.from('b'));
  clock.advanceTo(1020);
  assert.deepEqual(pieces.slice(1), ['1000 stdout@1 b']);
  relay.hurry(false);
  relay.push('stdout', Buffer.from('c'));
  clock.advanceTo(1100);
  assert.equal(pieces.length, 2);
  clock.advanceTo(1120);
  assert.deepEqual(pieces.slice(2), ['1020 stdout@2 c']);
});

test('chunks of one stream are joined for 100 ms', () => {
  const { clock, relay, pieces } = createRelay(1000);
  relay.push('stdout', Buffer.from('a'));
  clock.advanceTo(1050);
  relay.push('stdout', Buffer.from('b'));
  assert.deepEqual(pieces, []);
  clock.advanceTo(1100);
  assert.deepEqual(pieces, ['1000 stdout@0 ab']);
  clock.advanceTo(2000);
  relay.push('stdout', Buffer.from('c'));
  relay.flush();
  assert.deepEqual(pieces.slice(1), ['2000 stdout@2 c']);
  assert.equal(clock.timers.size, 0);
  relay.flush();
  assert.equal(pieces.length, 2);
});

test('a change of stream ends a piece, so the order of arrival stays', () => {
  const { relay, pieces } = createRelay(1000);
  relay.push('stderr', Buffer.from('e'));
  relay.push('stdout', Buffer.from('o'));
  relay.push('stdout', Buffer.from('o'));
  relay.push('stderr', Buffer.from('e'));
  relay.flush();
  assert.deepEqual(pieces, ['1000 stderr@0 e', '1000 stdout@1 oo', '1000 stderr@3 e']);
});

test('64 KiB are sent at once, and chunks are not split over pieces without need', () => {
  const { clock, relay, pieces } = createRelay(10_000_000);
  const chunk = Buffer.alloc(64 * 1024);
  for (const letter of 'xyz') relay.push('stdout', chunk.fill(letter));
  assert.deepEqual(pieces, [
    '1000 stdout@0 xxx...',
    '1000 stdout@65536 yyy...',
    '1000 stdout@131072 zzz...',
  ]);
  assert.equal(clock.timers.size, 0);
  for (const letter of 'abc') relay.push('stdout', chunk.subarray(0, 30_000).fill(letter));
  relay.flush();
  assert.deepEqual(pieces.slice(3), ['1000 stdout@196608 aaa...', '1000 stdout@256608 ccc...']);
});

test('whatever the sizes of the chunks, the bytes are the same', () => {
  const clock = new TestClock();
  const received: Buffer[] = [];
  const relay = new OutputRelay(clock, new BufferPool(), 1_000_000, (piece, data, _, onSent) => {
    assert.equal(piece.offset, Buffer.concat(received).length);
    received.push(...data.map((part) => Buffer.from(part)));
    onSent();
  });
  const sent: Buffer[] = [];
  for (const [index, bytes] of [1, 4095, 1, 100, 4096, 70_000, 3, 65_536, 200_000].entries()) {
    const chunk = Buffer.alloc(bytes, `chunk ${String(index)} `);
    sent.push(Buffer.from(chunk));
    relay.push('stderr', chunk);
    chunk.fill(0);
  }
  relay.flush();
  assert.ok(Buffer.concat(received).equals(Buffer.concat(sent)));
});

test('a cap that is too small for an end cuts in the middle of a chunk, counts on and says so', () => {
  const { relay, texts } = createTextRelay(3);
  relay.push('stdout', Buffer.from('ab'));
  assert.equal(relay.truncated, false);
  relay.push('stderr', Buffer.from('cdef'));
  relay.push('stdout', Buffer.from('h'));
  relay.end();
  assert.deepEqual(texts, [
    'stdout@0 ab',
    'stderr@2 c',
    'stderr@3 \n[cronmesh: 4 bytes of output are missing here (3 of a run are kept)]\n',
  ]);
  assert.equal(relay.seenBytes, 7);
  assert.equal(relay.truncated, true);
});

test('of a long output the beginning and the end are kept, from the beginning of a line', () => {
  const { relay, texts } = createTextRelay(40);
  relay.push('stdout', Buffer.from('beginning of thirty bytes, yes'));
  assert.equal(relay.truncated, false);
  relay.push('stdout', Buffer.from('0123456789'));
  assert.equal(relay.truncated, false, 'it may still be whole');
  relay.push('stderr', Buffer.from('abcd'));
  relay.push('stdout', Buffer.from('\nlast'));
  relay.end();
  assert.deepEqual(texts, [
    'stdout@0 beginning of thirty bytes, yes',
    'stdout@30 \n[cronmesh: 9 bytes of output are missing here (40 of a run are kept)]\n',
    'stdout@101 9',
    'stderr@102 abcd',
    'stdout@106 \nlast',
  ]);
});

test('what just fits is whole, without a word', () => {
  const { relay, texts } = createTextRelay(40);
  const text = 'exactly forty bytes of a run, no more...';
  relay.push('stdout', Buffer.from(text));
  relay.end();
  assert.deepEqual(texts, [`stdout@0 ${text.slice(0, 30)}`, `stdout@30 ${text.slice(30)}`]);
  assert.equal(relay.truncated, false);
});

test('the end of any row of chunks is the end of what was written', () => {
  for (const capacity of [1, 7, 100, 1_000]) {
    const tail = new OutputTail(capacity);
    const sent: Buffer[] = [];
    let seed = capacity;
    for (let i = 0; i < 300; i++) {
      seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
      const chunk = Buffer.alloc(seed % 40, `${i},`);
      sent.push(Buffer.from(chunk));
      tail.push(seed % 3 === 0 ? 'stdout' : 'stderr', i, chunk);
      chunk.fill(0);
    }
    const whole = Buffer.concat(sent);
    const kept = Buffer.concat(tail.take().map(({ data }) => data));
    assert.equal(kept.length, Math.min(capacity, whole.length));
    assert.ok(kept.equals(whole.subarray(-capacity)), `the last ${capacity}`);
    assert.equal(tail.droppedBytes, whole.length - kept.length);
  }
});

test('an alarm never rings early, can be moved, and leaves no timer', () => {
  const clock = new TestClock();
  clock.earlyMs = 0.5;
  clock.longestMs = 300;
  const rings: number[] = [];
  const alarm = new Alarm(clock, () => rings.push(clock.nowMs));
  alarm.set(2000);
  clock.advanceTo(1999);
  assert.deepEqual(rings, []);
  clock.advanceTo(2010);
  assert.equal(rings.length, 1);
  assert.ok((rings[0] ?? 0) >= 2000);
  assert.equal(alarm.atMs, Infinity);
  alarm.set(3000);
  alarm.set(2500);
  clock.advanceTo(2600);
  assert.equal(rings.length, 2);
  alarm.set(2700);
  alarm.clear();
  alarm.set(Infinity);
  assert.equal(clock.timers.size, 0);
});
