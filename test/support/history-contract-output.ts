/** Output: kept byte by byte, read from anywhere. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { HistoryStore } from '../../shared/history/port.ts';
import { withStore, type MakeStore } from './history-store-under-test.ts';
import { allOutput, baseTick, output } from './history-samples.ts';

async function readAt(store: HistoryStore, from: number, maxBytes: number): Promise<unknown[]> {
  const chunks = await store.readOutput('r1', from, maxBytes);
  return chunks.map(({ offset, data }) => [offset, data.toString()]);
}

export function describeOutput(makeStore: MakeStore): void {
  describe('output', () => {
    it('reads whole chunks from the one that holds the byte', async () => {
      await withStore(makeStore, async (store) => {
        const texts = ['0123456789', 'abcdefghij', 'KLMNOPQRST'];
        const [zero, ten, twenty] = texts.map((text, n) => [n * 10, text]);
        await store.ingest(texts.toReversed().map((text, n) => output('r1', 20 - n * 10, text)));
        await store.ingest([output('r10', 0, 'of another run'), output('r1/0', 5, 'of a third')]);
        assert.deepEqual(await readAt(store, 0, 1000), [zero, ten, twenty]);
        assert.deepEqual(await readAt(store, 9, 1000), [zero, ten, twenty]);
        assert.deepEqual(await readAt(store, 10, 1000), [ten, twenty]);
        assert.deepEqual(await readAt(store, 15, 1000), [ten, twenty]);
        assert.deepEqual(await readAt(store, 29, 1000), [twenty]);
        assert.deepEqual(await readAt(store, 30, 1000), []);
        assert.deepEqual(await readAt(store, Number.MAX_SAFE_INTEGER, 1000), []);
        assert.deepEqual(await readAt(store, 0, 20), [zero, ten]);
        assert.deepEqual(await readAt(store, 12, 19), [ten]);
        assert.deepEqual(await readAt(store, 12, 1), [ten], 'at least one chunk');
        assert.equal(await store.outputEnd('r1'), 30);
        assert.equal(await store.outputEnd('r10'), 14);
        assert.equal(await store.outputEnd('none'), 0);
      });
    });

    it('goes on after a gap, and shows a gap as one', async () => {
      await withStore(makeStore, async (store) => {
        await store.ingest([output('r1', 0, 'begin'), output('r1', 100, 'end')]);
        assert.deepEqual(await readAt(store, 0, 1000), [
          [0, 'begin'],
          [100, 'end'],
        ]);
        assert.deepEqual(await readAt(store, 5, 1000), [[100, 'end']]);
        assert.deepEqual(await readAt(store, 50, 1000), [[100, 'end']]);
      });
    });

    it('keeps the first chunk of an offset, within a call and between calls', async () => {
      await withStore(makeStore, async (store) => {
        await store.ingest([output('r1', 0, 'first'), output('r1', 0, 'again')]);
        await store.ingest([output('r1', 0, 'later'), output('r1', 5, 'more')]);
        assert.deepEqual(await readAt(store, 0, 100), [
          [0, 'first'],
          [5, 'more'],
        ]);
      });
    });

    it('keeps every byte, and stream and time of each chunk', async () => {
      await withStore(makeStore, async (store) => {
        const samples = [
          Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)),
          Buffer.from('\u001b[31mred\u001b[0m \r\x07\b <b>markup</b> &amp; {{template}} ${x}\n'),
          Buffer.from([0xff, 0xfe, 0xc3, 0x28, 0xed, 0xa0, 0x80, 0x00, 0x0a]),
          Buffer.from('\u{1f552}').subarray(0, 2),
          Buffer.from('\u{1f552}').subarray(2),
        ];
        let offset = 0;
        const records = samples.map((data, n) => {
          const stream = n % 2 === 0 ? 'stderr' : 'stdout';
          const record = output('r1', offset, data, { stream, at: baseTick + n });
          offset += data.length;
          return record;
        });
        await store.ingest(records);
        const chunks = await store.readOutput('r1', 0, 1_000_000);
        assert.deepEqual(
          chunks.map(({ stream, at, data }) => [stream, at, data.toString('hex')]),
          samples.map((data, n) => [
            n % 2 === 0 ? 'stderr' : 'stdout',
            baseTick + n,
            data.toString('hex'),
          ]),
        );
        assert.ok(chunks.every(({ data }) => Buffer.isBuffer(data)));
      });
    });

    it("leaves the caller's buffers alone, slices of a bigger one too", async () => {
      await withStore(makeStore, async (store) => {
        const whole = Buffer.alloc(1024 * 1024, 'x');
        const slice = whole.subarray(100, 110);
        await store.ingest([output('r1', 0, slice)]);
        assert.equal(slice.toString(), 'x'.repeat(10));
        assert.equal(whole.length, 1024 * 1024);
        assert.deepEqual(await readAt(store, 0, 100), [[0, 'x'.repeat(10)]]);
      });
    });

    it('takes empty, big and many chunks, and reads them back in windows', async () => {
      await withStore(makeStore, async (store) => {
        const big = Buffer.alloc(5 * 1024 * 1024, 'big ');
        await store.ingest([output('big', 0, big), output('big', big.length, 'end')]);
        assert.ok((await allOutput(store, 'big')).equals(Buffer.concat([big, Buffer.from('end')])));
        await store.ingest([output('empty', 0, '')]);
        await store.ingest([output('r1', 0, ''), output('r1', 0, 'not a repetition')]);
        assert.deepEqual(await readAt(store, 0, 10), [[0, 'not a repetition']]);
        assert.deepEqual(await store.readOutput('empty', 0, 10), []);
        const lines = Array.from({ length: 3000 }, (_, n) => `${String(n).padStart(7, '0')}\n`);
        await store.ingest(lines.map((line, n) => output('many', n * 8, line)));
        assert.equal((await allOutput(store, 'many', 16 * 1024)).toString(), lines.join(''));
        const middle = await store.readOutput('many', 8 * 1500 + 3, 80);
        assert.equal(
          Buffer.concat(middle.map(({ data }) => data)).toString(),
          lines.slice(1500, 1510).join(''),
        );
      });
    });
  });
}
