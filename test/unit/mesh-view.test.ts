import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { KeyValue } from '../../shared/etcd/port.ts';
import { unreadableText } from '../../shared/mesh/unreadable.ts';
import { MeshView } from '../../shared/mesh/view.ts';
import { createKeys } from '../../shared/protocol/keys.ts';
import type { TriggerValue } from '../../shared/protocol/values.ts';

const keys = createKeys('/cron');
const good: TriggerValue = {
  v: 1,
  cause: 'manual',
  tick: 1,
  notBefore: 1,
  expires: 2,
  attempt: 1,
  jobCreate: 1,
};

function keyValue(key: string, value: unknown, revision: number): KeyValue {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return {
    key,
    value: Buffer.from(text),
    createRevision: revision,
    modRevision: revision,
    version: 1,
    lease: '0',
  };
}

function viewOf(...kvs: KeyValue[]): MeshView {
  const view = new MeshView(keys);
  view.reset();
  view.items(kvs);
  view.synced(10);
  return view;
}

describe('view of the mesh', () => {
  const trigger = keys.trigger('a', 'm1');

  it('keeps what is open of each job apart from what is open of others', () => {
    const view = viewOf(...['a', 'b'].map((name) => keyValue(keys.job(name), {}, 1)));
    const put = (key: string) => view.events([{ type: 'put', kv: keyValue(key, good, 11) }], 11);
    put(keys.trigger('a', 'm1'));
    put(keys.trigger('a', 'm2'));
    put(keys.slot('a', 1));
    assert.deepEqual([...(view.part('a')?.triggers.keys() ?? [])], ['m1', 'm2']);
    assert.equal(view.part('a')?.slots.size, 1);
    assert.equal(view.part('a')?.fires.size, 0);
    assert.equal(view.part('b')?.triggers.size, 0);
    for (const id of ['m1', 'm2', 'm3']) {
      const key = keys.trigger('a', id);
      view.events([{ type: 'delete', key, modRevision: 12 }], 12);
    }
    assert.equal(view.part('a')?.triggers.size, 0);
    put(keys.trigger('b', 'm1'));
    assert.equal(view.part('a')?.triggers.size, 0);
  });

  it('takes over what a new listing shows unchanged, and reads what it does not', () => {
    const state = { v: 1, outcome: 'succeeded', tick: 1, runId: 'r', worker: 'w', endedAt: 2 };
    const cursor = (tick: number) => `${String(tick).padStart(16, '0')} * * * * * * * UTC`;
    const kvs = [keyValue(keys.cursor('a'), cursor(7), 3), keyValue(keys.state('a'), state, 4)];
    const view = viewOf(...kvs);
    const former = { ...view.part('a') };
    view.reset();
    view.items([keyValue(keys.cursor('a'), cursor(8), 5), keyValue(keys.state('a'), state, 4)]);
    view.synced(11);
    assert.equal(view.part('a')?.cursor?.raw, cursor(8));
    assert.deepEqual(view.part('a')?.cursor?.cursor, { tick: 8, schedule: '* * * * * * * UTC' });
    assert.equal(view.part('a')?.state, former.state);
    // In another state of etcd the same revision may bear something else.
    view.forget();
    view.reset();
    view.items([keyValue(keys.cursor('a'), cursor(9), 5), keyValue(keys.state('a'), state, 4)]);
    view.synced(11);
    assert.equal(view.part('a')?.cursor?.raw, cursor(9));
    assert.notEqual(view.part('a')?.state, former.state);
  });

  it('keeps what it cannot read, with what is wrong, until it can or it is gone', () => {
    const view = viewOf(keyValue(trigger, 'junk', 1), keyValue(keys.fire('b', 't1'), { v: 1 }, 2));
    assert.deepEqual([...view.snapshot.unreadable.keys()], [trigger, keys.fire('b', 't1')]);
    const [junk] = view.snapshot.unreadable.values();
    assert.equal(
      junk && unreadableText(junk),
      '/cron/trigger/a/m1 cannot be read: (whole) is not JSON (expected JSON, got "junk")',
    );
    assert.equal(view.part('a')?.unreadable.trigger.get('m1')?.modRevision, 1);
    assert.equal(view.part('a')?.triggers.size, 0);
    assert.match(
      JSON.stringify(view.part('b')?.unreadable.fire.get('t1')?.problems),
      /"field":"\/runId","message":"is missing"/,
    );

    view.events([{ type: 'put', kv: keyValue(trigger, good, 11) }], 11);
    assert.equal(view.part('a')?.unreadable.trigger.size, 0);
    assert.equal(view.part('a')?.triggers.get('m1')?.modRevision, 11);
    assert.equal(view.snapshot.unreadable.size, 1);

    // A readable one that is overwritten with something else is not what it was any more.
    view.events([{ type: 'put', kv: keyValue(trigger, { ...good, attempt: 0 }, 12) }], 12);
    assert.equal(view.part('a')?.triggers.size, 0);
    view.events(
      [
        { type: 'delete', key: trigger, modRevision: 13 },
        { type: 'delete', key: keys.fire('b', 't1'), modRevision: 13 },
      ],
      13,
    );
    assert.equal(view.snapshot.unreadable.size, 0);
    assert.equal(view.snapshot.parts.size, 0, 'nothing is left of a name without keys');
  });

  it('tells what a newer version wrote from what nobody can read', () => {
    const view = viewOf(keyValue(trigger, { ...good, v: 2 }, 1));
    const [newer] = view.snapshot.unreadable.values();
    assert.equal(newer?.isNewer, true);
    assert.equal(newer && unreadableText(newer), `${trigger} was written by a newer version`);
  });

  it('shows the slots of a job, and notes other keys of its own that it cannot read', () => {
    const view = viewOf(
      keyValue(keys.slot('a', 3), 'r1', 1),
      keyValue(keys.session('junk'), 'junk', 2),
      keyValue(keys.worker('w'), {}, 3),
      keyValue(keys.done('a', 'd'), [], 4),
      keyValue(keys.state('a'), 'null', 5),
      // By hand an order may say anything at all.
      keyValue(keys.killer('a'), 'junk', 6),
      keyValue('/cron/trigger//x', 'junk', 7),
      keyValue('/cron/other/x', 'junk', 8),
    );
    assert.equal(view.part('a')?.slots.get('3')?.value, 'r1');
    assert.equal(view.snapshot.unreadable.size, 4);
    view.events([{ type: 'delete', key: keys.slot('a', 3), modRevision: 11 }], 11);
    assert.equal(view.part('a')?.slots.size, 0);
  });
});
