import assert from 'node:assert/strict';
import { it } from 'node:test';
import { rankDelayMs } from '../../worker/schedule/rank.ts';

const five = ['a', 'b', 'c', 'd', 'e'].map((id) => ({ id, weight: 16 }));

it('gives every worker of a fire another rank, the same whoever computes it', () => {
  for (let tick = 0; tick < 200; tick++) {
    const delays = five.map(({ id }) => rankDelayMs(five.toReversed(), id, 'job', String(tick)));
    assert.deepEqual(
      delays.toSorted((x, y) => x - y),
      [0, 200, 400, 600, 800],
    );
  }
});

it('shares the first rank in proportion to free slots, within a few percent', () => {
  const weighted = [
    { id: 'small', weight: 10 },
    { id: 'large', weight: 30 },
  ];
  let large = 0;
  const fires = 20_000;
  for (let tick = 0; tick < fires; tick++) {
    if (rankDelayMs(weighted, 'large', 'job', String(tick)) === 0) large++;
  }
  assert.ok(Math.abs(large / fires - 0.75) < 0.02, `share ${large / fires}`);
});

it('lets a worker that is not in the registry yet try last', () => {
  assert.equal(rankDelayMs(five, 'new', 'job', '1'), 800);
  assert.equal(rankDelayMs([], 'new', 'job', '1'), 800);
});
