import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type {
  GrpcStream,
  StreamHandlers,
  WireEvent,
  WireWatchRequest,
  WireWatchResponse,
} from '../../shared/etcd/grpc-endpoint.ts';
import { GrpcFailure } from '../../shared/etcd/grpc-failure.ts';
import { watchOnce, type WatchEnd } from '../../shared/etcd/watch-stream.ts';
import { ManualClock, settle } from '../support/manual-clock.ts';

const startRevision = 101;

interface Rig {
  readonly clock: ManualClock;
  readonly sent: WireWatchRequest[];
  readonly told: string[];
  readonly say: (message: Partial<WireWatchResponse> & { revision: number }) => void;
  readonly breakStream: () => void;
  readonly ended: () => WatchEnd | undefined;
  readonly stop: () => void;
}

/** A watch on a stream that the test speaks for. */
async function openWatch(onEvents: () => void = () => undefined): Promise<Rig> {
  const clock = new ManualClock();
  const sent: WireWatchRequest[] = [];
  const told: string[] = [];
  const stopping = new AbortController();
  let handlers: StreamHandlers<WireWatchResponse> | undefined;
  let end: WatchEnd | undefined;
  const stream: GrpcStream<WireWatchRequest> = {
    send: (request) => {
      sent.push(request);
    },
    close: () => undefined,
  };
  void watchOnce({
    endpoint: {
      address: 'http://h:1',
      openWatch: async (given) => {
        handlers = given;
        return stream;
      },
    },
    prefix: '/p/',
    startRevision,
    clusterId: 'c1',
    clock,
    signal: stopping.signal,
    onCreated: (revision) => told.push(`created ${String(revision)}`),
    onCurrent: () => told.push('current'),
    onEvents: (events, revision) => {
      onEvents();
      told.push(`events ${String(events.length)} to ${String(revision)}`);
    },
    onProgress: (revision) => told.push(`progress ${String(revision)}`),
  }).then((ended) => {
    end = ended;
  });
  await settle();
  return {
    clock,
    sent,
    told,
    say: ({ revision, ...message }) =>
      handlers?.onMessage({
        header: { cluster_id: 'c1', member_id: '1', revision: String(revision), raft_term: '1' },
        watch_id: '0',
        created: false,
        canceled: false,
        compact_revision: '0',
        cancel_reason: '',
        fragment: false,
        events: [],
        ...message,
      }),
    breakStream: () => handlers?.onEnd(new GrpcFailure('unknown', 'http://h:1', 'broken')),
    ended: () => end,
    stop: () => stopping.abort(),
  };
}

function event(revision: number): WireEvent {
  const kv = {
    key: Buffer.from(`/p/${String(revision)}`),
    value: Buffer.from('1'),
    create_revision: String(revision),
    mod_revision: String(revision),
    version: '1',
    lease: '0',
  };
  return { type: 'Put', kv, prev_kv: kv };
}

describe('a watch stream', () => {
  it('asks for fragments and progress notices, from the revision wanted', async () => {
    const { sent } = await openWatch();
    assert.deepEqual(sent[0]?.create_request, {
      key: Buffer.from('/p/'),
      range_end: Buffer.from('/p0'),
      start_revision: startRevision,
      progress_notify: true,
      fragment: true,
    });
  });

  it('is current at once when nothing happened since', async () => {
    const { say, told } = await openWatch();
    say({ revision: 100, created: true });
    assert.deepEqual(told, ['created 100', 'current']);
  });

  it('is current only after what happened meanwhile has come', async () => {
    const { say, told } = await openWatch();
    say({ revision: 105, created: true });
    say({ revision: 105, events: [event(102)] });
    assert.ok(!told.includes('current'));
    say({ revision: 105, events: [event(104), event(105)] });
    assert.deepEqual(told, ['created 105', 'events 1 to 102', 'events 2 to 105', 'current']);
  });

  it('puts fragments together', async () => {
    const { say, told } = await openWatch();
    say({ revision: 100, created: true });
    say({ revision: 103, fragment: true, events: [event(101)] });
    say({ revision: 103, fragment: true, events: [event(102)] });
    assert.deepEqual(told, ['created 100', 'current']);
    say({ revision: 103, events: [event(103)] });
    assert.equal(told.at(-1), 'events 3 to 103');
  });

  it('forgets half a batch when the stream breaks', async () => {
    const { say, breakStream, told, ended } = await openWatch();
    say({ revision: 100, created: true });
    say({ revision: 103, fragment: true, events: [event(101)] });
    breakStream();
    await settle();
    assert.equal(ended()?.kind, 'broken');
    assert.deepEqual(told, ['created 100', 'current']);
  });

  it('goes by its own progress notices, not by answers that name no watch', async () => {
    const { say, told } = await openWatch();
    say({ revision: 100, created: true });
    say({ revision: 150, watch_id: '-1' });
    say({ revision: 120, watch_id: '0' });
    assert.deepEqual(told, ['created 100', 'current', 'progress 120']);
  });

  it('asks after 1.5 s of silence and gives up after 3 s', async () => {
    const { clock, say, sent, ended } = await openWatch();
    say({ revision: 100, created: true });
    await clock.advance(1400);
    assert.equal(sent.length, 1);
    await clock.advance(200);
    assert.deepEqual(sent.at(-1), { progress_request: {} });
    say({ revision: 100, watch_id: '-1' });
    await clock.advance(2900);
    assert.equal(ended(), undefined);
    await clock.advance(250);
    assert.deepEqual(ended(), { kind: 'silent' });
  });

  it('gives up when it is not created within 2 s', async () => {
    const { clock, ended } = await openWatch();
    await clock.advance(2100);
    assert.deepEqual(ended(), { kind: 'silent' });
  });

  it('does not take a pause of its own process for silence', async () => {
    const { clock, say, sent, ended } = await openWatch();
    say({ revision: 100, created: true });
    clock.pause(30_000);
    await clock.advance(500);
    assert.equal(ended(), undefined);
    assert.deepEqual(sent.at(-1), { progress_request: {} });
    await clock.advance(2000);
    assert.deepEqual(ended(), { kind: 'silent' });
  });

  it('ends when compacted, cancelled, of another cluster, stopped, or failed by its consumer', async () => {
    const compacted = await openWatch();
    compacted.say({ revision: 300, created: true });
    compacted.say({ revision: 300, canceled: true, compact_revision: '200' });
    const cancelled = await openWatch();
    cancelled.say({ revision: 300, canceled: true, cancel_reason: 'no' });
    const other = await openWatch();
    const header = { cluster_id: 'c2', member_id: '1', revision: '5', raft_term: '1' };
    other.say({ revision: 5, created: true, header });
    const stopped = await openWatch();
    stopped.stop();
    const failed = await openWatch(() => {
      throw new Error('mine');
    });
    failed.say({ revision: 100, created: true });
    failed.say({ revision: 101, events: [event(101)] });
    await settle();
    assert.deepEqual(compacted.ended(), { kind: 'compacted', revision: 200 });
    assert.deepEqual(cancelled.ended(), { kind: 'cancelled', reason: 'no' });
    assert.deepEqual(other.ended(), { kind: 'other-cluster', clusterId: 'c2' });
    assert.deepEqual(stopped.ended(), { kind: 'stopped' });
    assert.equal(failed.ended()?.kind, 'consumer');
  });
});
