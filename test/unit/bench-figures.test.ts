/** What a benchmark says of its goals: met only when all of them are, each by its own measure. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { judge, printTable, quantile, type Figure } from '../bench/figures.ts';

const figure: Figure = {
  figure: 'fires',
  unit: 'a second',
  ours: [100, 300, 200],
  baseline: 'naive',
  base: [10, 20, 40],
  better: 'more',
};

describe('figures of a benchmark', () => {
  test('the ratio is the median of what each round has against its neighbour', () => {
    const judged = judge(figure);
    assert.deepEqual([judged.median, judged.baseMedian, judged.ratio], [200, 20, 10]);
    assert.equal(judged.isMet, undefined);
  });

  test('all goals are to be met', () => {
    const many = { of: 'ours', is: '>=', value: 200 } as const;
    const far = { of: 'ratio', is: '>=', value: 11 } as const;
    const near = { of: 'difference', is: '<=', value: 160 } as const;
    assert.equal(judge({ ...figure, goals: [many] }).isMet, true);
    assert.equal(judge({ ...figure, goals: [many, far] }).isMet, false);
    assert.equal(judge({ ...figure, goals: [near] }).isMet, true);
    const table = printTable([{ ...figure, goals: [many, far], note: 'of a test' }]);
    assert.match(table, />= 200 and >= 11 x +NO$/m);
    assert.match(table, /^fires: of a test$/m);
  });

  test('what did not come to an end meets no goal', () => {
    const goals = [{ of: 'ours', is: '<=', value: 5 } as const];
    assert.equal(judge({ ...figure, ours: [Infinity], goals }).isMet, false);
    assert.equal(judge({ ...figure, ours: [], goals }).isMet, false);
  });

  test('quantiles are nearest ranks', () => {
    assert.deepEqual(
      [0.5, 0.99, 1].map((q) => quantile([4, 1, 3, 2], q)),
      [2, 4, 4],
    );
  });
});
