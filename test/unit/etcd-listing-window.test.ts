/** Windows of a listing: together every key once, and little for etcd to walk over. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { firstWindow, nextWindow, type Window } from '../../shared/etcd/listing-window.ts';

interface Listing {
  readonly keys: string[];
  readonly pages: number;
  /** Keys that etcd walks over in all. */
  readonly walked: number;
}

/** What etcd would answer of `sorted`, in pages of so many rows. */
function list(sorted: readonly Buffer[], prefix: string, limit: number): Listing {
  const keys: string[] = [];
  let [pages, walked] = [0, 0];
  for (let window: Window | undefined = firstWindow(prefix); window !== undefined; pages += 1) {
    const { key, end } = window;
    const isOpen = end.equals(Buffer.from([0]));
    const within = sorted.filter(
      (each) => each.compare(key) >= 0 && (isOpen || each.compare(end) < 0),
    );
    walked += within.length;
    const kvs = within.slice(0, limit).map((each) => ({ key: each }));
    keys.push(...kvs.map((kv) => kv.key.toString('latin1')));
    assert.ok(pages < 100 + sorted.length, 'it ends');
    window = nextWindow(window, { kvs, more: within.length > limit });
  }
  return { keys, pages, walked };
}

function sortedBuffers(keys: Iterable<string>): Buffer[] {
  return [...new Set(keys)].map((key) => Buffer.from(key, 'latin1')).sort((a, b) => a.compare(b));
}

describe('windows of a listing', () => {
  it('hold every key once, whatever the keys look like', () => {
    let state = 7;
    const random = (below: number): number => {
      state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
      return Math.floor((state / 2_147_483_648) * below);
    };
    for (let round = 0; round < 200; round++) {
      const letters = ['ab', '\0\x01\xfe\xff', '/-0123456789', 'z\xff'][round % 4] ?? '';
      const prefix = ['/cron/', '', '\xff', 'a'][random(4)] ?? '';
      const keys = Array.from({ length: random(120) }, () =>
        prefix.concat(
          ...Array.from(
            { length: random(round % 3 === 0 ? 30 : 6) },
            () => letters[random(letters.length)] ?? '',
          ),
        ),
      );
      // etcd has no empty key.
      const sorted = sortedBuffers(keys.filter((key) => key !== ''));
      // A prefix of no ASCII is, as bytes, another text than its characters.
      const asked = prefix === '\xff' ? '' : prefix;
      for (const limit of [1, 2, 7, 50, 1_000]) {
        const { keys: listed } = list(sorted, asked, limit);
        assert.deepEqual(
          listed,
          sorted.map((key) => key.toString('latin1')),
        );
      }
    }
  });

  it('keep out what does not begin with the prefix', () => {
    const sorted = sortedBuffers(['/a/1', '/a/2', '/a0', '/b', '/a']);
    assert.deepEqual(list(sorted, '/a/', 1).keys, ['/a/1', '/a/2']);
  });

  it('are few, and small beside what is left, of many jobs', () => {
    const names = Array.from({ length: 20_000 }, (_, i) => [`/m/cmd/job-${i}`, `/m/cur/job-${i}`]);
    const sorted = sortedBuffers(names.flat());
    const { keys, pages, walked } = list(sorted, '/m/', 500);
    assert.equal(keys.length, sorted.length);
    assert.ok(pages <= 80 + 80, `${pages} pages`);
    // Out of all that is left, 80 pages would walk over 1,600,000.
    assert.ok(walked < 600_000, `${walked} keys walked over`);
  });

  it('of one long chain take no page for each of its bytes', () => {
    const chain = Array.from({ length: 300 }, (_, i) => `/m/${'x'.repeat(i)}`);
    const { keys, pages } = list(sortedBuffers([...chain, '/m/y', '/m/z']), '/m/', 50);
    assert.equal(keys.length, 302);
    assert.ok(pages < 30, `${pages} pages`);
  });
});
