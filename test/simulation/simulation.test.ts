/**
 * A fixed number of simulated fleets, each in its own bad weather, and some in ordinary operation; and
 * that a seed tells the same story every time.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { simulateScale } from './scale.ts';
import { simulate } from './simulate.ts';

const seeds = 100;
const seedsAtOnce = 20;

describe('simulation', () => {
  for (let first = 1; first <= seeds; first += seedsAtOnce) {
    const last = first + seedsAtOnce - 1;
    it(`holds every invariant: seeds ${first} to ${last}`, async () => {
      for (let seed = first; seed <= last; seed++) {
        const { violations, starts } = await simulate({ seed });
        assert.deepEqual(violations, [], `npm run simulate -- --seed ${seed}`);
        assert.ok(starts > 0);
      }
    });
  }

  it('tells the same story of the same seed, byte for byte', async () => {
    const [once, twice, other] = [
      await simulate({ seed: 7, minutes: 2, story: 'full' }),
      await simulate({ seed: 7, minutes: 2, story: 'full' }),
      await simulate({ seed: 8, minutes: 2, story: 'full' }),
    ];
    assert.ok(once.story.length > 10_000);
    assert.equal(once.story, twice.story);
    assert.notEqual(once.story, other.story);
  });

  it('tells it whenever the real loop takes its turn, and no rejection is ever left for later', async () => {
    for (const seed of [9, 10]) {
      const often = await simulate({ seed, minutes: 1, story: 'full', eventsPerTurn: 1 });
      const seldom = await simulate({ seed, minutes: 1, story: 'full' });
      assert.deepEqual(often.violations, []);
      assert.equal(often.story, seldom.story);
    }
  });

  it('holds every invariant in fleet-hours of ordinary operation', async () => {
    for (let seed = 1; seed <= 6; seed++) {
      const { violations, starts } = await simulate({ seed, hours: 4 });
      assert.deepEqual(
        violations,
        [],
        `npm run simulate -- --operation --minutes 240 --seed ${seed}`,
      );
      assert.ok(starts > 0);
    }
  });

  it('in fair weather nothing is lost, and every tick that may run does', async () => {
    for (let seed = 1; seed <= 5; seed++) {
      const result = await simulate({ seed, isFair: true });
      assert.deepEqual(result.violations, []);
      assert.equal(result.lost, 0);
    }
  });

  it('writes as often a fire with many workers as with one, and runs each once', async () => {
    for (const workers of [1, 30]) {
      const row = await simulateScale(workers, 600, 1, () => undefined);
      assert.equal(row.started, 600);
      assert.equal(row.twice, 0);
      // A claim and a completion; very few claims lose, and cost nothing but a request.
      assert.ok(row.writes >= 1_200 && row.writes < 1_210, `${row.writes} writes`);
      assert.ok(row.claimsLost < 30, `${row.claimsLost} claims lost`);
      assert.ok(row.lateMs.p99 < 500, `${row.lateMs.p99} ms late`);
    }
  });
});
