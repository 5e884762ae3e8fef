/**
 * A master on a machine whose clock is wrong, or steps: what it writes is in the fleet's time, for a
 * cursor in the future is a job that does not fire, and a span of the future is a lie.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { jobDetailShape, overviewShape } from '../../master/api/shapes.ts';
import { systemClock, type Clock } from '../../shared/clock.ts';
import { parseCursor } from '../../shared/protocol/cursor.ts';
import { decodeValue, doneSchema, triggerSchema } from '../../shared/protocol/values.ts';
import { MasterRig, type MasterClient } from './master-support.ts';

const hourMs = 3_600_000;
/** Until an estimate is narrow, it is good to half a second either way. */
const closeMs = 2_000;

describe('a master whose clock is wrong', () => {
  let rig: MasterRig;
  let client: MasterClient;
  let offMs = hourMs;
  const skewed: Clock = { ...systemClock, wallMs: () => systemClock.wallMs() + offMs };

  before(async () => {
    rig = await MasterRig.start();
    client = await rig.master({}, true, skewed);
  });
  after(() => rig.stop());

  const cursorOf = async (name: string): Promise<number> => {
    const raw = await rig.readText(rig.keys.cursor(name));
    return parseCursor(raw ?? '')?.tick ?? Number.NaN;
  };
  const isNow = (ms: number): void => {
    assert.ok(Math.abs(ms - Date.now()) < closeMs, `${ms - Date.now()} ms from now`);
  };
  const put = (name: string, cronExpr: string, headers: Record<string, string>) =>
    client.ask(`/api/v1/jobs/${name}`, {
      method: 'PUT',
      json: { command: 'true', cronExpr },
      headers,
    });

  test('puts cursors and triggers in the fleet’s time, and says that it is off', async () => {
    assert.equal((await put('a', '* * * * * *', { 'if-none-match': '*' })).status, 201);
    isNow(await cursorOf('a'));
    const { nextTicks } = await client.get(jobDetailShape, '/api/v1/jobs/a');
    isNow(nextTicks[0] ?? Number.NaN);

    const run = await client.ask('/api/v1/jobs/a/run', { method: 'POST', json: {} });
    assert.equal(run.status, 202);
    const [trigger] = (await rig.list('trigger/a/')).values();
    isNow(decodeValue(triggerSchema, trigger ?? '')?.notBefore ?? Number.NaN);

    const { notes } = await client.get(overviewShape, '/api/v1/overview');
    assert.ok(
      notes.some((note) => /clock of this master is off by 3[56]\d{5} ms/.test(note)),
      notes.join('\n'),
    );
  });

  test('an edit writes off nothing of the future, also right after a step', async () => {
    offMs = 2 * hourMs;
    assert.equal((await put('a', '*/2 * * * * *', { 'if-match': '*' })).status, 200);
    isNow(await cursorOf('a'));
    offMs = -hourMs;
    assert.equal((await put('a', '*/3 * * * * *', { 'if-match': '*' })).status, 200);
    isNow(await cursorOf('a'));
    for (const text of (await rig.list('done/a/')).values()) {
      const done = decodeValue(doneSchema, text);
      assert.ok(done?.outcome === 'missed' && done.toTick < Date.now() + closeMs, text);
    }
  });
});
