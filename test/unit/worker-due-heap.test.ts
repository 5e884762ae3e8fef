import assert from 'node:assert/strict';
import { it } from 'node:test';
import { DueHeap } from '../../worker/schedule/due-heap.ts';

it('gives names back in order of time, through any mix of sets and deletes', () => {
  const heap = new DueHeap();
  const model = new Map<string, number>();
  let seed = 7;
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fffffff;
    return seed % below;
  };
  for (let round = 0; round < 20_000; round++) {
    const name = `job-${random(500)}`;
    if (random(3) === 0) {
      heap.delete(name);
      model.delete(name);
    } else {
      const atMs = random(1_000);
      heap.set(name, atMs);
      model.set(name, atMs);
    }
    assert.equal(heap.size, model.size);
    if (round % 100 === 0) assert.equal(heap.peekMs(), least(model));
  }
  while (model.size > 0) {
    const atMs = least(model);
    const name = heap.take(1_000);
    assert.ok(name !== undefined);
    assert.equal(model.get(name), atMs);
    model.delete(name);
  }
  assert.equal(heap.take(1_000), undefined);
});

it('takes nothing before its time', () => {
  const heap = new DueHeap();
  heap.set('a', 10);
  assert.equal(heap.take(9), undefined);
  assert.equal(heap.take(10), 'a');
});

it('gives names of one time back in their order, whatever they were set to before', () => {
  const heap = new DueHeap();
  for (const [name, order] of Object.entries({ a: 3, b: -1, c: 2, d: 0 }))
    heap.set(name, 10, order);
  heap.set('c', 10, -2);
  heap.set('d', 9, 7);
  const taken = Array.from({ length: 4 }, () => heap.take(10));
  assert.deepEqual(taken, ['d', 'c', 'b', 'a']);
});

function least(model: ReadonlyMap<string, number>): number | undefined {
  return model.size === 0 ? undefined : Math.min(...model.values());
}
