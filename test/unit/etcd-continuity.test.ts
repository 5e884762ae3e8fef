/** When an answer of etcd cannot follow from those before it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Continuity } from '../../shared/etcd/continuity.ts';
import type { SetBack, StateMark } from '../../shared/etcd/port.ts';

const mark = (revision: number, raftTerm = 2, clusterId = 'a'): StateMark => ({
  clusterId,
  raftTerm,
  revision,
});

function watched(): {
  continuity: Continuity;
  heard: SetBack[];
  answer: (header: StateMark) => void;
} {
  const continuity = new Continuity();
  const heard: SetBack[] = [];
  continuity.onSetBack((setBack) => heard.push(setBack));
  return { continuity, heard, answer: (header) => continuity.sending()(header) };
}

describe('continuity of etcd', () => {
  it('takes what grows, stays, or is elected anew', () => {
    const { continuity, heard, answer } = watched();
    for (const header of [mark(5), mark(5), mark(9), mark(9, 3), mark(12, 4)]) answer(header);
    assert.deepEqual(heard, []);
    assert.deepEqual(continuity.mark, mark(12, 4));
  });

  for (const [what, header] of [
    ['revision', mark(8)],
    ['term', mark(20, 1)],
    ['cluster', mark(20, 3, 'b')],
  ] as const) {
    it(`tells once of a state that was put back, by its ${what}`, () => {
      const { continuity, heard, answer } = watched();
      answer(mark(9));
      answer(header);
      answer(header);
      assert.deepEqual(heard, [{ what, before: mark(9), now: header }]);
      assert.deepEqual(continuity.mark, header);
      assert.equal(continuity.era, 1);
    });
  }

  it('compares with what was known when the call was sent, not when it was answered', () => {
    const { continuity, heard, answer } = watched();
    answer(mark(5));
    const slow = continuity.sending();
    answer(mark(9));
    slow(mark(7));
    assert.deepEqual(heard, []);
    assert.deepEqual(continuity.mark, mark(9));
  });

  it('does not take a late answer from before for another setback', () => {
    const { continuity, heard, answer } = watched();
    answer(mark(50));
    const slow = continuity.sending();
    answer(mark(9));
    slow(mark(51));
    answer(mark(10));
    assert.equal(heard.length, 1);
    assert.deepEqual(continuity.mark, mark(10));
  });

  it('counts what a watch told of, unless the watch is of the state before', () => {
    const { continuity, heard, answer } = watched();
    answer(mark(5));
    const { era } = continuity;
    continuity.saw(era, 30);
    answer(mark(29));
    assert.equal(heard.length, 1);
    assert.equal(heard[0]?.before.revision, 30);
    continuity.saw(era, 31);
    answer(mark(29));
    assert.equal(heard.length, 1);
  });
});
