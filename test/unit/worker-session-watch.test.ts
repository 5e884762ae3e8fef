/** When a session counts as vanished: by its key, and by the silence of its worker. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Clock } from '../../shared/clock.ts';
import type { KeyValue, WatchEvent } from '../../shared/etcd/port.ts';
import { MeshView } from '../../shared/mesh/view.ts';
import { createKeys } from '../../shared/protocol/keys.ts';
import { encodeValue, type WorkerValue } from '../../shared/protocol/values.ts';
import { SessionWatch } from '../../worker/mesh/session-watch.ts';

const keys = createKeys('/cron');
const beat: WorkerValue = {
  v: 1,
  id: 'w1',
  session: '7',
  sequence: 1,
  wallMs: 0,
  host: 'h',
  version: '0',
  pid: 1,
  startedAt: 0,
  slots: 1,
  running: 0,
  load: [],
  state: 'ready',
  reasons: [],
  spool: { pendingRecords: 0, pendingBytes: 0 },
};

function put(key: string, value: object, revision: number): WatchEvent & { type: 'put' } {
  const kv: KeyValue = {
    key,
    value: Buffer.from(encodeValue(value)),
    createRevision: revision,
    modRevision: revision,
    version: 1,
    lease: '7',
  };
  return { type: 'put', kv };
}

const session = (revision: number, ttlSeconds?: number) =>
  put(keys.session('7'), { v: 1, worker: 'w1', ttlSeconds }, revision);
const registration = (revision: number) => put(keys.worker('w1'), beat, revision);
const gone = (modRevision: number): WatchEvent[] => [
  { type: 'delete', key: keys.session('7'), modRevision },
  { type: 'delete', key: keys.worker('w1'), modRevision },
];

/** A watch that has just seen a session of that TTL begin. */
function begun(ttlSeconds?: number): {
  view: MeshView;
  watch: SessionWatch;
  time: { nowMs: number };
} {
  const time = { nowMs: 1_000 };
  const clock: Clock = {
    wallMs: () => time.nowMs,
    monotonicMs: () => time.nowMs,
    after: () => () => undefined,
    soon: () => undefined,
  };
  const view = new MeshView(keys);
  view.reset();
  view.synced(1);
  const watch = new SessionWatch(view, clock);
  view.events([session(2, ttlSeconds), registration(2)], 2);
  return { view, watch, time };
}

describe('SessionWatch', () => {
  it('takes a session for vanished once it is gone for 1 s and silent for TTL + 1 s', () => {
    const { view, watch, time } = begun(5);
    time.nowMs += 4_000;
    view.events(gone(3), 3);
    time.nowMs += 1_500;
    assert.ok(watch.goneFor('7', 1_000));
    assert.equal(watch.vanished('7'), false);
    time.nowMs += 500;
    assert.equal(watch.vanished('7'), true);
  });

  it('hears a beat that comes in one batch with the end of its session', () => {
    const { view, watch, time } = begun(5);
    time.nowMs += 8_000;
    view.events([registration(3), ...gone(4)], 4);
    time.nowMs += 5_900;
    assert.equal(watch.vanished('7'), false);
    time.nowMs += 200;
    assert.equal(watch.vanished('7'), true);
  });

  it('counts from a re-list: beats in the gap were not seen', () => {
    const { view, watch, time } = begun(5);
    time.nowMs += 8_000;
    view.reset();
    view.synced(9);
    assert.equal(watch.vanished('7'), false);
    time.nowMs += 5_900;
    assert.equal(watch.vanished('7'), false);
    time.nowMs += 200;
    assert.equal(watch.vanished('7'), true);
  });

  it('waits for what the session itself said, not for what others say', () => {
    const { view, watch, time } = begun(20);
    view.events(gone(3), 3);
    time.nowMs += 20_900;
    assert.equal(watch.vanished('7', 5), false);
    time.nowMs += 200;
    assert.equal(watch.vanished('7', 5), true);
  });

  it('remembers it over a re-list and over the sweeping of other sessions', () => {
    const { view, watch, time } = begun(20);
    view.events(gone(3), 3);
    assert.equal(watch.vanished('7', 5), false);
    watch.sweep();
    view.reset();
    view.synced(9);
    assert.equal(watch.vanished('7', 5), false);
    watch.sweep();
    time.nowMs += 20_900;
    assert.equal(watch.vanished('7', 5), false);
    time.nowMs += 200;
    assert.equal(watch.vanished('7', 5), true);
  });

  it('takes the word of the fire for a session that it never saw, and without it waits longest', () => {
    const { watch, time } = begun();
    assert.equal(watch.vanished('8', 20), false);
    time.nowMs += 20_900;
    assert.equal(watch.vanished('8', 20), false);
    time.nowMs += 200;
    assert.equal(watch.vanished('8', 20), true);
    assert.equal(watch.vanished('8'), false);
    time.nowMs += 99_800;
    assert.equal(watch.vanished('8'), false);
    time.nowMs += 200;
    assert.equal(watch.vanished('8'), true);
  });
});
