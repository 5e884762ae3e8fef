import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isConcerned, isDue } from '../../webroot/src/live/concerned.ts';
import {
  anything,
  joinHints,
  readHint,
  type Hint,
  type Topic,
} from '../../webroot/src/live/hint.ts';

const hint = (...names: string[]): Hint => ({ names: new Set(names), isMore: false });
const told = (topic: Topic, what: Hint): ReadonlyMap<Topic, Hint> => new Map([[topic, what]]);
const filter = { sort: 'name', groups: [], statuses: [], limit: 50 };
const shown = { pages: [{ items: [{ name: 'a' }, { name: 'b' }] }] };

test('a list by name is fetched again for runs of the jobs that it shows, and of no others', () => {
  const list = ['jobs', filter];
  assert.equal(isConcerned(list, shown, told('runs', hint('b'))), true);
  assert.equal(isConcerned(list, shown, told('runs', hint('z'))), false);
  assert.equal(isConcerned(list, shown, told('runs', anything)), true);
  assert.equal(isConcerned(list, undefined, told('runs', hint('z'))), true);
  assert.equal(isConcerned(list, shown, told('jobs', hint('z'))), true, 'it may belong there');
});

test('a list that runs may reorder is fetched again for every run', () => {
  for (const other of [{ sort: 'nextTick' }, { sort: '-lastEnded' }, { statuses: ['running'] }]) {
    const list = ['jobs', { ...filter, ...other }];
    assert.equal(isConcerned(list, shown, told('runs', hint('z'))), true);
  }
});

test('one job and one run are fetched again for themselves', () => {
  assert.equal(isConcerned(['job', 'a'], {}, told('jobs', hint('a'))), true);
  assert.equal(isConcerned(['job', 'a'], {}, told('jobs', hint('b'))), false);
  assert.equal(isConcerned(['job', 'a'], {}, told('calendars', hint('b'))), true);
  assert.equal(isConcerned(['run', 'r1'], { job: 'a' }, told('runs', hint('a'))), true);
  assert.equal(isConcerned(['run', 'r1'], { job: 'a' }, told('runs', hint('b'))), false);
  assert.equal(isConcerned(['runs', { jobs: ['a'] }], {}, told('runs', hint('b'))), false);
  assert.equal(isConcerned(['runs', { jobs: [] }], {}, told('runs', hint('b'))), true);
  assert.equal(isConcerned(['overview'], {}, told('runs', hint('b'))), true);
  assert.equal(isConcerned(['workers'], {}, told('runs', hint('b'))), false);
});

test('a long list is fetched again the less often the longer it is', () => {
  const pages = Array.from({ length: 10 }, () => ({ items: [] }));
  assert.equal(isDue({ data: { pages }, dataUpdatedAt: 0 }, 14_999), false);
  assert.equal(isDue({ data: { pages }, dataUpdatedAt: 0 }, 15_000), true);
  assert.equal(isDue({ data: shown, dataUpdatedAt: 0 }, 1), true);
});

test('hints are read and gathered; what cannot be read may be about anything', () => {
  assert.deepEqual(readHint('{"names":["a"],"revision":7}'), hint('a'));
  for (const data of ['{"names":["a"],"more":true}', '{', 'null', '{}', undefined]) {
    assert.equal(readHint(data).isMore, true);
  }
  assert.deepEqual(joinHints(hint('a'), hint('b', 'a')), hint('a', 'b'));
  assert.deepEqual(joinHints(undefined, hint('b')), hint('b'));
  assert.equal(joinHints(hint('a'), anything).isMore, true);
  const many = hint(...Array.from({ length: 1_500 }, (_, index) => `j${index}`));
  assert.equal(joinHints(many, many).isMore, true);
});
