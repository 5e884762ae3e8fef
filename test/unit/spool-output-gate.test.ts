/** What is dropped when the spool has no room, and how that shows in the run's history. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { pino } from 'pino';
import type { HistoryRecord, RunFacts } from '../../shared/history/records.ts';
import { OutputGate } from '../../worker/spool/output-gate.ts';

const run: RunFacts = {
  runId: 'r',
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
const end: HistoryRecord = {
  kind: 'run-ended',
  run,
  end: { outcome: 'succeeded', endedAt: 2, outputBytes: 0, outputTruncated: false },
};
const started: HistoryRecord = { kind: 'run-started', run, startedAt: 1 };

function output(offset: number, text: string): HistoryRecord {
  const data = Buffer.from(text);
  return { kind: 'output', runId: 'r', job: 'j', stream: 'stdout', offset, at: 1, data };
}

function textOf(record: HistoryRecord | undefined): string {
  return record?.kind === 'output' ? record.data.toString() : '';
}

const gate = (): OutputGate => new OutputGate(pino({ level: 'silent' }));

it('lets everything through while there is room', () => {
  const records = [started, output(0, 'a'), end];
  assert.equal(gate().admit(records, true), records);
});

it('drops output only, and leaves one marker for a gap', () => {
  const full = gate();
  const long = 'x'.repeat(100);
  const admitted = full.admit([started, output(0, long), output(100, long), end], false);
  assert.deepEqual(
    admitted.map((record) => record.kind),
    ['run-started', 'output', 'run-ended'],
  );
  assert.match(textOf(admitted[1]), /output dropped/);
  const last = admitted[2];
  assert.ok(last?.kind === 'run-ended' && last.end.outputTruncated);
  // Tried again, say because the disk refused it, it says the same.
  const [again] = full.admit([end], true);
  assert.ok(again?.kind === 'run-ended' && again.end.outputTruncated);
  const other: HistoryRecord = { ...last, run: { ...run, runId: 'other' } };
  assert.deepEqual(full.admit([other], true), [other]);
});

it('never lets the marker cover what follows the dropped piece', () => {
  const full = gate();
  const [marker] = full.admit([output(0, 'abc')], false);
  assert.equal(textOf(marker).length, 3);
});

it('keeps output again after the gap, and still tells that some is missing', () => {
  const full = gate();
  full.admit([output(0, 'x'.repeat(50))], false);
  const later = output(50, 'later');
  assert.deepEqual(full.admit([later], true), [later]);
  // A second gap has its own marker.
  assert.equal(full.admit([output(55, 'x'.repeat(50))], false).length, 1);
  const [last] = full.admit([end], true);
  assert.ok(last?.kind === 'run-ended' && last.end.outputTruncated);
});
