import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  createKillJudge,
  readAnswer,
  tallyOf,
  type KillEnd,
} from '../../webroot/src/actions/kill-end.ts';

const standing = { open: true, worker: 'w1', order: { orderId: '7' } };
const over = (outcome: 'killed' | 'succeeded' | 'lost' | undefined): KillEnd => ({
  kind: 'over',
  outcome,
});

test('an order is watched for as long as it stands, and ends as the run does', () => {
  const judge = createKillJudge(0);
  assert.equal(judge(standing, 0), undefined);
  assert.equal(judge(standing, 200_000), undefined, 'a long grace');
  assert.equal(judge(undefined, 201_000), undefined, 'the master was silent');
  assert.equal(judge({ open: false, worker: 'w1' }, 202_000), undefined, 'its record is coming');
  const ended = judge({ open: false, worker: 'w1', outcome: 'killed' }, 203_000);
  assert.deepEqual(ended, over('killed'));
});

test('a run that had ended before says how', () => {
  assert.deepEqual(createKillJudge(0)({ open: false, outcome: 'succeeded' }, 0), over('succeeded'));
  assert.deepEqual(createKillJudge(0)('gone', 0), over(undefined));
});

test('an order that is gone while the run is open was not answered', () => {
  const judge = createKillJudge(0);
  const without = { open: true, worker: 'w1' };
  assert.equal(judge(standing, 100_000), undefined);
  assert.equal(judge(without, 101_000), undefined, 'another master may not have seen it yet');
  assert.equal(judge(standing, 102_000), undefined);
  assert.equal(judge(without, 104_900), undefined);
  assert.deepEqual(judge(without, 105_100), { kind: 'unanswered', worker: 'w1' });
});

test('a record that does not come is not waited for without end', () => {
  const judge = createKillJudge(0);
  assert.equal(judge({ open: false }, 11_000), undefined);
  assert.deepEqual(judge({ open: false }, 12_001), over(undefined));
});

test('many runs come to one word', () => {
  const none = { killed: 0, others: 0, otherOutcome: undefined, silent: [], reason: undefined };
  assert.deepEqual(tallyOf([]), none);
  assert.deepEqual(tallyOf([over('killed'), over(undefined), over('lost')]), {
    killed: 1,
    others: 2,
    otherOutcome: 'lost',
    silent: [],
    reason: undefined,
  });
  const silent: KillEnd = { kind: 'unanswered', worker: 'w1' };
  assert.deepEqual(tallyOf([silent, silent]), { ...none, silent: ['w1'] });
});

test('what the workers answered to the order ends it, with how each of its runs ended', () => {
  const runs = [
    { runId: 'r1', worker: 'w1', outcome: 'killed' as const },
    { runId: 'r2', worker: 'w2' },
  ];
  assert.equal(readAnswer(undefined, '7'), undefined);
  assert.equal(readAnswer({ orderId: '7', state: 'waiting', runs: [] }, '7'), undefined);
  assert.equal(readAnswer({ orderId: '7', state: 'killing', runs }, '7'), undefined);
  assert.equal(readAnswer({ orderId: '5', state: 'done', runs }, '7'), undefined, 'an older one');
  const done = readAnswer({ orderId: '7', state: 'done', runs }, '7');
  const ends = new Map([
    ['r1', over('killed')],
    ['r2', undefined],
  ]);
  assert.deepEqual(done, { kind: 'done', runs: ends });
});

test('that there was nothing to kill is told with the reason', () => {
  const answer = { orderId: '7', state: 'nothing', reason: 'no run was open', runs: [] } as const;
  const nothing = readAnswer(answer, '7');
  assert.ok(nothing?.kind === 'nothing');
  assert.deepEqual(tallyOf([nothing]), { ...tallyOf([]), reason: 'no run was open' });
});
