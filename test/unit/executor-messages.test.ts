/** Frames between worker and guardian: whatever way the socket cuts them, they come out whole. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  decodeFromGuardian,
  decodeToGuardian,
  encodeMessage,
  encodeOutputHead,
  FrameReader,
  type FromGuardian,
} from '../../worker/guardian/messages.ts';

const data = Buffer.from([0, 255, 10, 13, 0xc3, 0x28]);
const messages: readonly FromGuardian[] = [
  { type: 'ready', monotonicMs: 12.5 },
  { type: 'started', id: 1, pid: 4242, at: 1_700_000_000_000 },
  { type: 'output', id: 1, stream: 'stderr', at: 1_700_000_000_001, offset: 2 ** 40, data },
  { type: 'output', id: 2 ** 32 - 1, stream: 'stdout', at: 0, offset: 0, data: Buffer.alloc(0) },
  {
    type: 'ended',
    id: 1,
    at: 3,
    endedBy: 'spawn-error',
    reason: 'shell /tmp/\u{1f600}\ud800 does not exist',
    outputBytes: 0,
    outputTruncated: false,
  },
  { type: 'pong' },
];

function encode(message: FromGuardian): Buffer {
  if (message.type !== 'output') return encodeMessage(message);
  return Buffer.concat([encodeOutputHead(message, message.data.length), message.data]);
}

test('every cut of the stream gives the same messages', () => {
  const stream = Buffer.concat(messages.map(encode));
  for (const step of [1, 2, 3, 7, 26, 64, stream.length]) {
    const seen: FromGuardian[] = [];
    const reader = new FrameReader((body, isOwn) => seen.push(decodeFromGuardian(body, isOwn)));
    for (let start = 0; start < stream.length; start += step) {
      // The socket's buffer is used again, so nothing may be a view of it.
      const chunk = Buffer.from(stream.subarray(start, start + step));
      reader.push(chunk);
      chunk.fill(0x58);
    }
    assert.deepEqual(seen, messages, `cut every ${String(step)} bytes`);
  }
});

test('what is no frame of ours is an error', () => {
  const reader = new FrameReader((body) => decodeToGuardian(body));
  const tooLong = Buffer.from([0xff, 0xff, 0xff, 0xff]);
  assert.throws(() => reader.push(tooLong), /a frame of 4294967295 bytes/);
  const decode = (text: string): unknown => decodeToGuardian(Buffer.from(`\0${text}`));
  assert.throws(() => decode('{"type":"ended"}'), /not a message to the guardian/);
  assert.throws(() => decode('null'), /holds no message/);
  assert.throws(() => decode('{'), SyntaxError);
  assert.throws(() => decodeFromGuardian(Buffer.from([9]), false), /unknown kind of frame/);
  assert.throws(() => decodeFromGuardian(Buffer.from('\0{"type":"start"}'), false));
});
