/**
 * The spool's file format: every kind of record comes back as it went in, and damage of any kind
 * ends reading there; it never crashes and never gives a record that was not written.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import type { HistoryRecord, RunFacts } from '../../shared/history/records.ts';
import {
  CorruptEntry,
  decodeEntry,
  encodeHold,
  encodeNote,
  encodeRecord,
  encodeRelease,
  splitLargeOutput,
  type Entry,
} from '../../worker/spool/entry-codec.ts';
import {
  encodeFrame,
  formatVersion,
  hasFrameAfter,
  readFrame,
  segmentHeader,
  segmentVersion,
  type FrameType,
} from '../../worker/spool/frame.ts';

const run: RunFacts = {
  runId: 'r-1',
  job: 'größe 大小 \u0000 "quoted" \n {{template}}',
  group: '',
  cause: 'manual',
  tick: 1_760_000_000_000,
  fireId: 'trigger-1',
  attempt: 2,
  worker: 'w',
  fence: 9_007_199_254_740_991,
  command: 'printf "\\0" \ud800 lone surrogate',
  by: 'alice',
};
const minimalRun: RunFacts = {
  runId: 'r-2',
  job: 'j',
  group: 'g',
  cause: 'tick',
  tick: 0,
  fireId: 't0',
  attempt: 1,
  worker: 'w',
  fence: 1,
  command: 'true',
};
const everyByte = Buffer.from(Array.from({ length: 256 }, (_, index) => index));
const records: HistoryRecord[] = [
  { kind: 'run-started', run, startedAt: 1.5 },
  { kind: 'output', runId: 'r', job: 'j', stream: 'stdout', offset: 0, at: 1, data: everyByte },
  {
    kind: 'output',
    runId: 'r',
    job: 'j',
    stream: 'stderr',
    offset: 256,
    at: 2,
    data: Buffer.alloc(0),
  },
  {
    kind: 'run-ended',
    run,
    end: {
      outcome: 'killed',
      reason: 'by alice',
      startedAt: 1,
      endedAt: 2,
      exitCode: 137,
      signal: 'SIGKILL',
      outputBytes: 256,
      outputTruncated: true,
    },
  },
  {
    kind: 'run-ended',
    run: minimalRun,
    end: { outcome: 'lost', endedAt: 2, outputBytes: 0, outputTruncated: false },
  },
  { kind: 'run-lost', run: minimalRun, reason: 'its worker vanished', at: 5 },
  {
    kind: 'not-run',
    id: 'missed-1',
    job: 'j',
    group: 'g',
    outcome: 'missed',
    cause: 'tick',
    reason: 'nobody was there',
    fromTick: 0,
    toTick: 10_000,
    count: 9,
    excepted: [10_000],
    excluded: 3,
    schedule: '* * * * * * UTC calendars=holidays',
    at: 1,
    worker: 'w',
  },
  {
    kind: 'not-run',
    id: 'skipped-1',
    job: 'j',
    group: 'g',
    outcome: 'skipped',
    cause: 'retry',
    reason: 'still running',
    fromTick: 1,
    toTick: 2,
    schedule: '@hourly UTC',
    at: 1,
    worker: 'w',
  },
];

function decode(bytes: Buffer): Entry {
  const frame = readFrame(bytes, 0);
  assert.ok(typeof frame === 'object' && 'type' in frame);
  assert.equal(frame.bytes, bytes.length);
  return decodeEntry(frame);
}

/** Everything that can be read from the start, as replay does. */
function readAll(log: Buffer): Entry[] {
  const entries: Entry[] = [];
  for (let at = 0; ;) {
    const frame = readFrame(log, at);
    if (frame === 'invalid' || 'incomplete' in frame) return entries;
    entries.push(decodeEntry(frame));
    at += frame.bytes;
  }
}

describe('entries', () => {
  for (const record of records) {
    it(`round-trip: ${record.kind}`, () => {
      assert.deepEqual(decode(encodeRecord(record)), { type: 'record', record });
    });
  }

  it('round-trip: held entries with all records and any completion', () => {
    for (const completion of [{ deep: [1, null, 'x'] }, null, 'text', 0, undefined]) {
      const entry = { id: 'h "1"', records, completion };
      assert.deepEqual(decode(encodeHold(entry)), { type: 'hold', entry });
    }
  });

  it('round-trip: releases and notes', () => {
    assert.deepEqual(decode(encodeRelease('h-1')), { type: 'release', id: 'h-1' });
    assert.deepEqual(decode(encodeNote()), { type: 'note' });
  });

  it('keeps fields that a newer version added', () => {
    const newer = { ...records[0], colour: 'blue' };
    const frame = rawRecord(JSON.stringify(newer));
    assert.deepEqual(decode(frame), { type: 'record', record: newer });
  });

  it('refuses what has a right checksum but no known shape', () => {
    for (const json of ['{"kind":"run-started"}', '{"kind":"unheard-of"}', '[]', 'null', '{', '']) {
      assert.throws(() => decode(rawRecord(json)), CorruptEntry, json);
    }
    const frame = frameWith('record', Buffer.from([255, 255, 255, 255, 0, 0, 0, 0, 1]));
    assert.throws(() => decode(frame), CorruptEntry);
    assert.throws(() => decode(frameWith('hold', Buffer.from([1]))), CorruptEntry);
    assert.throws(() => decode(frameWith('release', Buffer.alloc(0))), CorruptEntry);
  });

  it('splits large output into pieces that follow each other', () => {
    const data = randomBytes(2_500_000);
    const pieces = splitLargeOutput({
      kind: 'output',
      runId: 'r',
      job: 'j',
      stream: 'stdout',
      offset: 7,
      at: 1,
      data,
    });
    let offset = 7;
    for (const piece of pieces) {
      assert.ok(piece.kind === 'output' && piece.offset === offset);
      offset += piece.data.length;
    }
    const joined = pieces.map((piece) => (piece.kind === 'output' ? piece.data : Buffer.alloc(0)));
    assert.equal(pieces.length, 3);
    assert.ok(Buffer.concat(joined).equals(data));
  });
});

function frameWith(type: FrameType, body: Buffer): Buffer {
  return encodeFrame(type, body.length, (frame, at) => body.copy(frame, at));
}

function rawRecord(json: string): Buffer {
  const body = Buffer.from(json, 'utf8');
  const lengths = Buffer.alloc(8);
  lengths.writeUInt32LE(body.length);
  return frameWith('record', Buffer.concat([lengths, body]));
}

describe('frames', () => {
  it('has a header that tells its version', () => {
    assert.equal(segmentVersion(segmentHeader), formatVersion);
    assert.equal(segmentVersion(segmentHeader.subarray(0, 5)), undefined);
    assert.equal(segmentVersion(Buffer.alloc(20)), undefined);
  });

  it('reads no frame in zeros', () => {
    assert.equal(readFrame(Buffer.alloc(4096), 0), 'invalid');
    assert.equal(hasFrameAfter(Buffer.alloc(1024 * 1024), 0), false);
  });

  it('tells a torn end from damage in the middle', () => {
    const [first, second] = [encodeRelease('a'), encodeRelease('b')];
    assert.equal(hasFrameAfter(Buffer.concat([first, second]), 1), true);
    assert.equal(hasFrameAfter(Buffer.concat([first, second.subarray(0, -1)]), 1), false);
  });

  it('refuses to write a frame beyond the limit', () => {
    assert.throws(() => frameWith('record', Buffer.alloc(64 * 1024 * 1024)), /over the limit/);
  });

  it('looks for frames in hostile bytes in bounded time', () => {
    // Every eighth byte claims a long frame of the right version and type.
    const hostile = Buffer.alloc(8 * 1024 * 1024);
    for (let at = 0; at + 16 < hostile.length; at += 8) {
      hostile.writeUInt32LE(4 * 1024 * 1024, at);
      hostile[at + 4] = 1;
      hostile[at + 5] = 1;
      hostile[at + 8] = 1;
      hostile[at + 9] = 1;
    }
    const begun = performance.now();
    hasFrameAfter(hostile, 0);
    assert.ok(performance.now() - begun < 5_000);
  });
});

describe('damage', () => {
  const entries: Entry[] = [
    ...records.map((record): Entry => ({ type: 'record', record })),
    { type: 'hold', entry: { id: 'h', records, completion: { a: 1 } } },
    { type: 'release', id: 'h' },
  ];
  const log = Buffer.concat([
    ...records.map(encodeRecord),
    encodeHold({ id: 'h', records, completion: { a: 1 } }),
    encodeRelease('h'),
  ]);

  function assertPrefix(damaged: Buffer, what: string): void {
    const read = readAll(damaged);
    assert.deepEqual(read, entries.slice(0, read.length), what);
  }

  it('leaves an undamaged log whole', () => {
    assert.deepEqual(readAll(log), entries);
  });

  it('cuts at every byte: what is read is what was written before', () => {
    for (let length = 0; length < log.length; length += 1) {
      assertPrefix(log.subarray(0, length), `cut at ${String(length)}`);
    }
  });

  it('any single flipped bit ends reading at its frame', () => {
    for (let bit = 0; bit < log.length * 8; bit += 1) {
      const damaged = Buffer.from(log);
      damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      const read = readAll(damaged);
      assert.ok(read.length < entries.length, `bit ${String(bit)} went unnoticed`);
      if (bit % 97 === 0) assertPrefix(damaged, `bit ${String(bit)}`);
    }
  });

  it('random damage of random size', () => {
    for (let round = 0; round < 3_000; round += 1) {
      const damaged = Buffer.from(log);
      const at = Math.floor(Math.random() * log.length);
      const length = Math.min(log.length - at, 1 + Math.floor(Math.random() * 64));
      const kind = round % 3;
      if (kind === 0) randomBytes(length).copy(damaged, at);
      else if (kind === 1) damaged.fill(0, at, at + length);
      else damaged.copy(damaged, at, Math.floor(Math.random() * log.length));
      const what = `round ${String(round)}: kind ${String(kind)} at ${String(at)}`;
      const cut = Math.floor(Math.random() * 2) === 0 ? log.length : at + length;
      assertPrefixOrShifted(damaged.subarray(0, cut), what);
    }
  });

  /** Whole frames copied elsewhere are frames that were written, only not there. */
  function assertPrefixOrShifted(damaged: Buffer, what: string): void {
    for (const entry of readAll(damaged)) {
      assert.ok(
        entries.some((written) => isSame(written, entry)),
        what,
      );
    }
  }
});

function isSame(a: Entry, b: Entry): boolean {
  try {
    assert.deepEqual(a, b);
    return true;
  } catch {
    return false;
  }
}
