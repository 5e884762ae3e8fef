import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Lane } from '../../worker/schedule/lane.ts';

/** Begins as many as there is room for, and says how many. */
function fill(lane: Lane, isPressed = false): string[] {
  const names: string[] = [];
  while (lane.hasRoom(isPressed)) {
    const name = `job-${Math.random()}`;
    lane.begin(name);
    names.push(name);
  }
  return names;
}

function end(lane: Lane, names: readonly string[], wasLost: boolean): void {
  for (const name of names) lane.end(name, wasLost);
}

describe('lane', () => {
  it('takes so many at a time, and one while something of its own is due', () => {
    const lane = new Lane(100);
    assert.equal(fill(lane, true).length, 1);
    assert.equal(fill(lane).length, 99);
    assert.equal(lane.hasRoom(true), false);
  });

  it('narrows to one while others are first, and widens again within a few requests', () => {
    const lane = new Lane(100);
    lane.wait('waits all the time', 1, 0);
    end(lane, fill(lane), true);
    const one = fill(lane);
    assert.equal(one.length, 1);
    end(lane, one, false);
    for (let request = 0; request < 6; request++) end(lane, fill(lane), false);
    assert.equal(fill(lane).length, 100);
  });

  it('is as wide as ever after a pause', () => {
    const lane = new Lane(100);
    lane.wait('a', 1, 0);
    end(lane, fill(lane), true);
    assert.equal(fill(lane).length, 1);
    lane.forget('a');
    assert.equal(lane.hasRoom(false), false, 'no pause while one is under way');
    const later = new Lane(100);
    end(later, fill(later), true);
    assert.equal(fill(later).length, 100);
  });

  it('serves in order of time, each once', () => {
    const lane = new Lane(2);
    for (const [name, sinceMs] of Object.entries({ a: 3, b: 1, c: 2, d: 4 })) {
      lane.wait(name, sinceMs, 0);
    }
    lane.wait('a', 1, -1);
    lane.forget('c');
    const taken = Array.from({ length: 4 }, () => lane.take());
    assert.deepEqual(taken, ['a', 'b', 'd', undefined]);
    assert.equal(lane.isWaiting, false);
  });
});
