/**
 * Edits of calendars against edits of the jobs that name them, and lost replies, made out of a real
 * etcd: whoever asked is told the truth, nothing is done twice, no job is left without its calendar.
 */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { CalendarEditor } from '../../master/calendars/calendar-editor.ts';
import { CalendarUses } from '../../master/calendars/calendar-uses.ts';
import { JobEditor } from '../../master/jobs/job-editor.ts';
import { MeshLink } from '../../master/live/mesh-link.ts';
import { parseCalendar } from '../../shared/calendar/parse-calendar.ts';
import { systemClock } from '../../shared/clock.ts';
import { CronmeshError, isCronmeshError } from '../../shared/errors.ts';
import type { Etcd, Txn } from '../../shared/etcd/port.ts';
import { parseJob } from '../../shared/job/parse-job.ts';
import { waitFor } from '../support/server-process.ts';
import { MasterRig } from './master-support.ts';

describe('calendars, races and lost replies', () => {
  let rig: MasterRig;
  let link: MeshLink;
  let uses: CalendarUses;
  const losses: ('reply' | 'request')[] = [];
  let beforeWrite: (() => Promise<unknown>) | undefined;

  before(async () => {
    rig = await MasterRig.start();
    link = new MeshLink(rig.etcd, rig.keys, systemClock);
    uses = new CalendarUses(link.view);
    await link.start();
    await waitFor(async () => (link.isSynced ? true : undefined), {
      timeoutMs: 5_000,
      describe: () => 'the view',
    });
  });
  beforeEach(() => {
    beforeWrite = undefined;
  });
  after(async () => {
    uses.stop();
    await link.stop();
    await rig.stop();
  });

  const writes = ({ success }: Txn) => success.some((op) => 'put' in op || 'delete' in op);

  function lossy(): Etcd {
    return {
      ...rig.etcd,
      txn: async (txn, options) => {
        if (!writes(txn)) return rig.etcd.txn(txn, options);
        const act = beforeWrite;
        beforeWrite = undefined;
        await act?.();
        const loss = losses.shift();
        if (loss === undefined) return rig.etcd.txn(txn, options);
        if (loss === 'reply') await rig.etcd.txn(txn, options);
        throw new CronmeshError('unknown-result', `the ${loss} was lost`);
      },
    };
  }

  const editor = () => new CalendarEditor(lossy(), rig.keys, link, uses);
  const jobs = () => new JobEditor(lossy(), rig.keys, systemClock);
  const calendar = (name: string, dates: readonly string[] = ['sat']) =>
    parseCalendar({ name, mode: 'exclude', dates });
  const job = (name: string, calendars: readonly string[]) =>
    parseJob({ name, command: 'true', cronExpr: '@daily', calendars });
  const absent = { kind: 'absent' } as const;
  const present = { kind: 'present' } as const;

  for (const loss of ['reply', 'request'] as const) {
    test(`edits whose ${loss} is lost are made once, and reported as made`, async () => {
      const name = `edited-${loss}`;
      losses.push(loss);
      assert.equal((await editor().put(calendar(name), absent)).result, 'created');
      losses.push(loss);
      const replaced = await editor().put(calendar(name, ['sun']), present);
      assert.equal(replaced.result, 'replaced');
      const stored = await rig.read(rig.keys.calendar(name));
      assert.deepEqual([stored?.modRevision, stored?.version], [replaced.revision, 2]);
      losses.push(loss);
      await editor().delete(name, present);
      assert.equal(await rig.read(rig.keys.calendar(name)), undefined);
      assert.equal(losses.length, 0);
    });
  }

  test('a job that is saved while its calendar is deleted: never both', async () => {
    await editor().put(calendar('raced'), absent);
    beforeWrite = () => rig.delete(rig.keys.calendar('raced'));
    await assert.rejects(jobs().put(job('late', ['raced']), absent), (error) => {
      assert.ok(isCronmeshError(error, 'job-invalid'));
      assert.equal(error.problems[0]?.field, '/calendars/0');
      return true;
    });
    assert.equal(await rig.read(rig.keys.job('late')), undefined);
    await editor().put(calendar('raced'), absent);
    beforeWrite = () => rig.put(rig.keys.job('early'), job('early', ['raced']));
    await assert.rejects(editor().delete('raced', present), (error) => {
      assert.ok(isCronmeshError(error, 'conflict'));
      assert.match(error.message, /1 job: early/);
      return true;
    });
    assert.ok(await rig.read(rig.keys.calendar('raced')));
  });

  test('a deletion is not held up by jobs of others', async () => {
    await editor().put(calendar('busy'), absent);
    beforeWrite = () => rig.put(rig.keys.job('other'), job('other', []));
    await editor().delete('busy', present);
    assert.equal(await rig.read(rig.keys.calendar('busy')), undefined);
  });

  test('a calendar that changes under an edit of a job is read again', async () => {
    await editor().put(calendar('moving'), absent);
    beforeWrite = () => rig.put(rig.keys.calendar('moving'), calendar('moving', ['sun']));
    const saved = await jobs().put(job('patient', ['moving']), absent);
    assert.equal(saved.result, 'created');
    // And one that is gone keeps nobody from pausing, mending or deleting its jobs.
    await rig.delete(rig.keys.calendar('moving'));
    const paused = await jobs().setEnabled('patient', false, present);
    assert.equal(paused.job.enabled, false);
    await jobs().setEnabled('patient', true, present);
    await jobs().put(job('patient', []), present);
    await jobs().delete('patient', present);
    assert.equal(await rig.read(rig.keys.job('patient')), undefined);
  });
});
