import assert from 'node:assert/strict';
import { it } from 'node:test';
import { HeldEntries } from '../../worker/spool/held-entries.ts';
import type { HeldEntry } from '../../worker/spool/port.ts';

const segment = {
  number: 1,
  path: '',
  bytes: 0,
  open: true,
  pendingRecords: 0,
  pendingBytes: 0,
  unreadRecords: 0,
  unreadBytes: 0,
};

function entryOf(id: string, count: number): HeldEntry {
  const records = Array.from({ length: count }, (_, offset) => ({
    kind: 'output' as const,
    runId: id,
    job: 'job',
    stream: 'stdout' as const,
    offset,
    at: 1,
    data: Buffer.from('x'),
  }));
  return { id, records, completion: {} };
}

it('knows at any time how much is held', async () => {
  let isBroken = false;
  const held = new HeldEntries({
    writer: {
      write: async ({ onDurable }) => {
        if (isBroken) throw new Error('the disk is full');
        onDurable(segment);
      },
    },
    found: new Map([['a', { entry: entryOf('a', 3), segment: 1, bytes: 100 }]]),
    onRecords: () => undefined,
    onReleased: () => undefined,
  });
  assert.deepEqual([held.size, held.records, held.bytes], [1, 3, 100]);
  await held.hold(entryOf('b', 2));
  const bytesOfB = held.bytes - 100;
  assert.ok(bytesOfB > 0);
  assert.deepEqual([held.size, held.records], [2, 5]);
  await held.hold(entryOf('a', 1));
  assert.deepEqual([held.size, held.records], [2, 3]);
  isBroken = true;
  const before = [held.size, held.records, held.bytes];
  await assert.rejects(held.hold(entryOf('b', 9)));
  await assert.rejects(held.hold(entryOf('c', 9)));
  assert.deepEqual([held.size, held.records, held.bytes], before);
  isBroken = false;
  assert.equal(await held.release('a', []), true);
  assert.deepEqual([held.size, held.records, held.bytes], [1, 2, bytesOfB]);
  assert.equal(await held.release('b', []), true);
  assert.deepEqual([held.size, held.records, held.bytes], [0, 0, 0]);
});
