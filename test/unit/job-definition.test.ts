import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { definitionText } from '../../master/jobs/definition-text.ts';
import { isCronmeshError, type FieldProblem } from '../../shared/errors.ts';
import { parseJob } from '../../shared/job/parse-job.ts';

const plain = { name: 'a', command: 'true', cronExpr: '@daily' };

function problemsOf(more: Record<string, unknown>): readonly FieldProblem[] {
  try {
    parseJob({ ...plain, ...more });
    return [];
  } catch (error) {
    assert.ok(isCronmeshError(error, 'job-invalid'));
    return error.problems;
  }
}

describe('job definition', () => {
  it('refuses a written grace over the timeout, also when it is the default in numbers', () => {
    const grace = { message: 'is longer than the timeout', expected: 'at most timeoutSeconds (5)' };
    assert.deepEqual(problemsOf({ timeoutSeconds: 5, killGraceSeconds: 10 }), [
      { field: '/killGraceSeconds', ...grace, got: '10' },
    ]);
    assert.deepEqual(problemsOf({ timeoutSeconds: 5, killGraceSeconds: 5 }), []);
  });

  it('shortens the grace that nobody wrote to a short timeout', () => {
    assert.equal(parseJob({ ...plain, timeoutSeconds: 5 }).killGraceSeconds, 5);
    assert.equal(parseJob({ ...plain, timeoutSeconds: 50 }).killGraceSeconds, 10);
    // What is stored is what was written, and reads back as the same job.
    for (const more of [{ timeoutSeconds: 5 }, { timeoutSeconds: 5, killGraceSeconds: 3 }, {}]) {
      const text = definitionText(parseJob({ ...plain, ...more }));
      assert.deepEqual(JSON.parse(text), { ...plain, ...more });
      assert.deepEqual(parseJob(JSON.parse(text)), parseJob({ ...plain, ...more }));
    }
  });

  it('refuses pauses and outcomes of retries that contradict each other', () => {
    assert.deepEqual(problemsOf({ retries: { backoffSeconds: 100, maxBackoffSeconds: 20 } }), [
      {
        field: '/retries/maxBackoffSeconds',
        message: 'is shorter than the first pause',
        expected: 'at least backoffSeconds (100)',
        got: '20',
      },
    ]);
    assert.deepEqual(problemsOf({ retries: { max: 1, on: ['failed', 'failed'] } }), [
      {
        field: '/retries/on',
        message: 'names an outcome twice',
        expected: 'each outcome once',
        got: '["failed","failed"]',
      },
    ]);
  });

  it('names every field that is wrong, those of rules over several fields too', () => {
    const fields = problemsOf({
      retries: { max: -1, backoffSeconds: 9, maxBackoffSeconds: 1, foo: 1 },
      misfire: 'all',
      concurrency: 'forbid',
      maxConcurrent: 2,
      timezone: 'Mars/Olympus',
      timeoutSeconds: 5,
      killGraceSeconds: 60,
      maxOutputBytes: 'x',
      history: { maxAgeDays: 0, maxRuns: 0, keepLastFailure: 1, forever: true },
    }).map(({ field }) => field);
    assert.deepEqual(fields.toSorted(), [
      '/history/forever',
      '/history/keepLastFailure',
      '/history/maxAgeDays',
      '/history/maxRuns',
      '/killGraceSeconds',
      '/maxConcurrent',
      '/maxOutputBytes',
      '/misfireLimit',
      '/retries/foo',
      '/retries/max',
      '/retries/maxBackoffSeconds',
      '/timezone',
    ]);
  });

  it('does not call a field meaningless beside one that cannot be read', () => {
    assert.deepEqual(
      problemsOf({ misfire: 'foo', misfireLimit: 3, concurrency: 1, maxConcurrent: 3 }).map(
        ({ field }) => field,
      ),
      ['/concurrency', '/misfire'],
    );
  });

  it('says what is expected in words that are an expectation', () => {
    const labels = Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`l${i}`, '']));
    const all = problemsOf({
      labels,
      description: 'a\0b',
      retries: { max: 1.5 },
      env: { A: '\0' },
    });
    assert.deepEqual(
      all.map(({ field, message, expected }) => [field, message, expected]),
      [
        ['/description', 'contains NUL', 'text without NUL bytes'],
        ['/labels', 'has more than 32 labels', 'at most 32 labels'],
        ['/env/A', 'contains NUL', 'text without NUL bytes'],
        ['/retries/max', 'is not a whole number', 'whole number'],
      ],
    );
  });

  it('takes what is not an object for what it is', () => {
    for (const input of [null, [], 'x', 5, undefined]) {
      assert.throws(
        () => parseJob(input),
        (error) => isCronmeshError(error, 'job-invalid') && error.problems.length > 0,
      );
    }
  });
});
