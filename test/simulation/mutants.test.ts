/**
 * The mutation table of the test report: guards and rules are taken out in turn, and an invariant must
 * notice. Some must be noticed for the tests to pass; the others are tried for as long as a test may
 * take. `npm run simulate -- --mutants` tries all of them, on more seeds.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { packageRoot } from '../../shared/package-root.ts';
import { impliedGuards } from './implied-guards.ts';
import {
  allMutants,
  seedsOf,
  summaryOf,
  tableHead,
  tableRow,
  titleOf,
  tryMutant,
} from './mutant-table.ts';
import type { AnyMutant, MutantVerdict } from './mutant-table.ts';

/** Each of these is needed by an invariant of its own kind, and is missed soon. */
const mustBeNoticed = [
  'claimTick: cursor exactly as seen',
  'claimTick: else-read: the fire is mine',
  'claimTrigger: trigger exactly as seen',
  'writeOff: cursor exactly as seen',
  'completeRun: fire as claimed or re-owned',
  'editJob: tombstone of a deleted job',
  'requestTrigger: request not taken before',
  'kill: order newer than the claim',
  'clock: wall clock compared with the fleet',
  'start: guardian keeps the session deadline',
  'spool: answered only when on disk',
  'beginRebase: cursors go ahead of what may have run',
  'settleRestoredFire: yields to an end that is stored',
];

/** Where a seed noticed when all of them were last tried, it is tried first. */
const noticedBefore = seedsOf(
  readFileSync(path.join(packageRoot(), 'docs', 'mutation-table.md'), 'utf8'),
);
const seedsOfThose = Array.from({ length: 40 }, (_, i) => i + 1);
const seedsOfOthers = Array.from({ length: 6 }, (_, i) => i + 1);
const othersMs = 45_000;

describe('mutants', () => {
  it('those that must be noticed are', async (test) => {
    const verdicts = await tryAll(mustBeNoticed.map(mutantOf), seedsOfThose, Infinity);
    tell(test, verdicts);
    for (const { mutant, caughtBy } of verdicts) {
      assert.notEqual(caughtBy, undefined, `nobody noticed: ${titleOf(mutant)}`);
    }
  });

  it('the others, as far as time allows', async (test) => {
    const others = allMutants.filter(
      (mutant) => !mustBeNoticed.includes(titleOf(mutant)) && !impliedGuards.has(titleOf(mutant)),
    );
    const verdicts = await tryAll(others, seedsOfOthers, performance.now() + othersMs);
    tell(test, verdicts);
    assert.ok(verdicts.some(({ caughtBy }) => caughtBy !== undefined));
  });

  it('every guard that is said to be implied is one of the table', () => {
    const titles = new Set(allMutants.map(titleOf));
    for (const title of impliedGuards.keys()) assert.ok(titles.has(title), title);
  });
});

function mutantOf(title: string): AnyMutant {
  const mutant = allMutants.find((each) => titleOf(each) === title);
  assert.ok(mutant !== undefined, `no such mutant: ${title}`);
  return mutant;
}

/** One seed of each, then the next one of those that nobody noticed yet, until the time is over. */
async function tryAll(
  chosen: readonly AnyMutant[],
  seeds: readonly number[],
  untilMs: number,
): Promise<readonly MutantVerdict[]> {
  const verdicts = chosen.map((mutant): MutantVerdict => ({
    mutant,
    caughtBy: undefined,
    seedsTried: 0,
  }));
  for (let round = 0; round <= seeds.length; round++) {
    for (const [index, { mutant, caughtBy, seedsTried }] of verdicts.entries()) {
      if (caughtBy !== undefined) continue;
      const seed = round === 0 ? noticedBefore.get(titleOf(mutant)) : seeds[round - 1];
      if (seed === undefined) continue;
      if (performance.now() > untilMs) return verdicts;
      const verdict = await tryMutant(mutant, [seed]);
      verdicts[index] = { ...verdict, seedsTried: seedsTried + 1 };
    }
  }
  return verdicts;
}

function tell(test: TestContext, verdicts: readonly MutantVerdict[]): void {
  for (const line of [...tableHead, ...verdicts.map(tableRow), summaryOf(verdicts)]) {
    test.diagnostic(line);
  }
}
