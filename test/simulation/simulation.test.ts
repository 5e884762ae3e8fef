/**
 * A fixed number of simulated fleets, each in its own bad weather; that a seed tells the same story
 * every time; and that the simulation sees what it is for: with a rule taken out, it must notice.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { tryMutant } from './mutant-table.ts';
import { mutants } from './mutants.ts';
import { simulate } from './simulate.ts';

const seeds = 100;
const seedsAtOnce = 20;

/** Each of these is needed by an invariant of its own kind, and is missed soon. */
const mustBeNoticed = [
  'claimTick: cursor exactly as seen',
  'claimTick: else-read: the fire is mine',
  'claimTrigger: trigger exactly as seen',
  'writeOff: cursor exactly as seen',
  'completeRun: fire as claimed or re-owned',
  'editJob: tombstone of a deleted job',
  'requestTrigger: request not taken before',
  'start: guardian keeps the session deadline',
  'clock: wall clock compared with the fleet',
  'spool: answered only when on disk',
];

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

  it('in fair weather nothing is lost, and every tick that may run does', async () => {
    for (let seed = 1; seed <= 5; seed++) {
      const result = await simulate({ seed, isFair: true });
      assert.deepEqual(result.violations, []);
      assert.equal(result.lost, 0);
    }
  });

  for (const name of mustBeNoticed) {
    it(`notices when it is missing: ${name}`, async () => {
      const mutant = mutants.find((each) => `${each.transaction}: ${each.guard}` === name);
      assert.ok(mutant !== undefined);
      const { caughtBy } = await tryMutant(mutant, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
      assert.notEqual(caughtBy, undefined);
    });
  }
});
