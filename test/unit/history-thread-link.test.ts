/** The link to the SQLite thread, with threads that misbehave on purpose. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { pino } from 'pino';
import { systemClock, type Clock } from '../../shared/clock.ts';
import { CronmeshError } from '../../shared/errors.ts';
import { ThreadLink } from '../../shared/history/sqlite/thread-link.ts';

/** Crashes, or never answers, as the asked id says; answers `close` as the real one does. */
const thread = new URL(
  `data:text/javascript,${encodeURIComponent(`
    import { parentPort } from 'node:worker_threads';
    parentPort.on('message', ({ serial, call, ask }) => {
      if (ask === 'throw') throw new Error('went wrong');
      if (ask === 'exit') process.exit(3);
      if (ask === 'hang') return;
      if (ask === 'refuse') {
        parentPort.postMessage({ serial, error: { code: 'store-rejected', message: 'no' } });
        return;
      }
      parentPort.postMessage({ serial, answer: call === 'close' ? null : { rows: [ask] } });
    });`)}`,
);

function makeLink(clock: Clock = systemClock): ThreadLink {
  return new ThreadLink('h.db', { clock, logger: pino({ level: 'silent' }) }, thread);
}

const failsWith = (code: string) => (error: unknown) =>
  error instanceof CronmeshError && error.code === code;

describe('history thread link', () => {
  it('answers calls by their serial and keeps the code of an error', async () => {
    const link = makeLink();
    const asked = ['a', 'b', 'c'].map((id) => link.call('getRun', id));
    await assert.rejects(link.call('getRun', 'refuse'), failsWith('store-rejected'));
    assert.deepEqual(await Promise.all(asked), [{ rows: ['a'] }, { rows: ['b'] }, { rows: ['c'] }]);
    await link.stop();
  });

  it('fails what was under way when the thread ends, and starts another one', async () => {
    const link = makeLink();
    for (const end of ['throw', 'exit']) {
      const underWay = link.call('getRun', 'hang');
      const ending = link.call('getRun', end);
      await assert.rejects(ending, failsWith('store-unavailable'));
      await assert.rejects(underWay, failsWith('store-unavailable'));
      assert.deepEqual(await link.call('getRun', 'after'), { rows: ['after'] });
    }
    await link.stop();
  });

  it('fails a call that gets no answer, and goes on', async () => {
    let expire = (): void => undefined;
    const clock: Clock = {
      ...systemClock,
      after: (_, callback) => {
        expire = callback;
        return () => undefined;
      },
    };
    const link = makeLink(clock);
    const hanging = link.call('getRun', 'hang');
    expire();
    await assert.rejects(hanging, failsWith('store-unavailable'));
    assert.deepEqual(await link.call('getRun', 'after'), { rows: ['after'] });
    await link.stop();
  });

  it('ends its thread when it is stopped, answers before that, and refuses calls after', async () => {
    const link = makeLink();
    const last = link.call('getRun', 'last');
    await Promise.all([link.stop(), link.stop()]);
    assert.deepEqual(await last, { rows: ['last'] });
    assert.equal(link.isRunning, false);
    await assert.rejects(link.call('ping', null), failsWith('store-unavailable'));
    await makeLink().stop();
  });
});
