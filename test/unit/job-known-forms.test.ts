import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isCronmeshError } from '../../shared/errors.ts';
import { parseJob, parseStoredJob } from '../../shared/job/parse-job.ts';

const form = {
  timezone: 'Europe/Berlin',
  group: 'reports',
  labels: { team: 'a' },
  retries: { max: 2 },
};

function stored(input: Readonly<Record<string, unknown>>) {
  return parseStoredJob(String(input['name']), Buffer.from(JSON.stringify(input)));
}

/** What the whole validation makes of it. */
function validated(input: Readonly<Record<string, unknown>>) {
  try {
    return { ok: true, job: parseJob(input) };
  } catch (error) {
    assert.ok(isCronmeshError(error, 'job-invalid'));
    return { ok: false, newer: false, problems: error.problems };
  }
}

describe('definitions of a form that was read before', () => {
  const first = { ...form, name: 'first', command: 'true', cronExpr: '0 3 * * *' };
  assert.ok(stored(first).ok);

  for (const [what, own] of [
    ['other fields of their own', { command: 'run --all', cronExpr: '*/5 * * * *' }],
    ['a description', { description: 'At night' }],
    ['a description that is not text', { description: 1 }],
    ['an empty command', { command: ' ' }],
    ['a NUL in the command', { command: 'a\0b' }],
    ['a command that is too long', { command: 'x'.repeat(65 * 1024) }],
    ['no command', { command: undefined }],
    ['no schedule', { cronExpr: undefined }],
    ['what is no schedule', { cronExpr: '61 * * * *' }],
    ['a schedule that never fires', { cronExpr: '0 0 31 2 *' }],
    ['more than one thing wrong', { command: '', cronExpr: 'daily' }],
    ['another form', { labels: { team: 'b' }, enabled: false }],
    ['another zone, where a schedule is another one', { timezone: 'Asia/Tokyo' }],
    ['a zone that there is not', { timezone: 'Europe/Nowhere' }],
    ['a rule over several fields broken', { misfire: 'all' }],
    ['a field that there is not', { comand: 'true' }],
    ['a form that inherits', { ['__proto__']: { group: 'x' } }],
  ] as const) {
    it(`are what the whole validation makes of them, with ${what}`, () => {
      const input = { ...first, name: 'other', ...own };
      assert.deepEqual(stored(input), validated(input));
    });
  }

  it('hold in common what no job may change', () => {
    const [a, b] = ['a', 'b'].map((name) => stored({ ...first, name }));
    assert.ok(a?.ok && b?.ok);
    assert.equal(a.job.labels, b.job.labels);
    assert.equal(a.job.retries, b.job.retries);
    assert.throws(() => a.job.retries.on.push('lost'), TypeError);
  });
});
