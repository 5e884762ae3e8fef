/**
 * The memory of parsed schedules is bounded, and keeps what is in use.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RecentMap } from '../../shared/schedule/recent-map.ts';

test('what is asked for stays, the rest goes, the limit holds', () => {
  const recent = new RecentMap<number>(100);
  recent.set('in use', -1);
  recent.set('forgotten', -2);
  for (let index = 0; index < 1000; index++) {
    recent.set(`key ${index}`, index);
    assert.equal(recent.get('in use'), -1);
  }
  assert.equal(recent.get('forgotten'), undefined);
  assert.equal(recent.get('key 0'), undefined);
  assert.equal(recent.get('key 999'), 999);
  const kept = Array.from({ length: 1000 }, (_, index) => recent.get(`key ${index}`));
  assert.ok(kept.filter((value) => value !== undefined).length <= 100);
});
