import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseJob } from '../../shared/job/parse-job.ts';
import {
  draftOfJob,
  draftOfRaw,
  emptyDraft,
  inputOfDraft,
} from '../../webroot/src/editor/draft.ts';
import { fieldAt } from '../../webroot/src/editor/draft-fields.ts';
import { diffJobs } from '../../webroot/src/editor/job-diff.ts';
import { createPair, pairsOfLines } from '../../webroot/src/editor/pairs.ts';
import { parseBytes, writeBytes } from '../../webroot/src/format/parse-bytes.ts';
import { parseSeconds, writeSeconds } from '../../webroot/src/format/parse-span.ts';
import { changeSearch, readJobFilter } from '../../webroot/src/jobs/job-filter.ts';

const words = {
  notSpan: { message: 'is not a span', expected: '1h' },
  notCount: { message: 'is not a count', expected: '3' },
  notSize: { message: 'is not a size', expected: '1 MiB' },
  twice: { message: 'is there twice', expected: 'once' },
  missingName: { message: 'is missing', expected: 'a name' },
};

test('reads spans and sizes as people type them', () => {
  const spans: readonly (readonly [string, number | undefined])[] = [
    ['90', 90],
    ['90s', 90],
    ['0.5s', 0.5],
    ['1h 30m', 5400],
    [' 1H30M ', 5400],
    ['1d', 86_400],
    ['', undefined],
    ['-5', undefined],
    ['1 hour', undefined],
    ['NaN', undefined],
    ['1e9', undefined],
  ];
  for (const [text, seconds] of spans) assert.equal(parseSeconds(text), seconds, text);
  const sizes: readonly (readonly [string, number | undefined])[] = [
    ['0', 0],
    ['512', 512],
    ['8 MiB', 8_388_608],
    ['8m', 8_388_608],
    ['1.5 KiB', 1536],
    ['1 GiB', 1_073_741_824],
    ['8 MiBs', undefined],
    ['-1', undefined],
    ['', undefined],
  ];
  for (const [text, size] of sizes) assert.equal(parseBytes(text), size, text);
});

test('writes spans and sizes so that they read back', () => {
  for (const seconds of [0, 0.1, 1, 59, 60, 61, 3600, 5400, 86_399, 86_400, 2_678_400]) {
    assert.equal(parseSeconds(writeSeconds(seconds)), seconds);
  }
  for (const size of [0, 1, 1023, 1024, 1536, 8_388_608, 8_388_609, 268_435_456]) {
    assert.equal(parseBytes(writeBytes(size)), size);
  }
});

test('a job comes out of the editor as it went in', () => {
  const jobs = [
    { name: 'a', command: 'echo hi', cronExpr: '*/5 * * * * *' },
    {
      name: 'b',
      command: 'line 1\nline 2\n',
      cronExpr: '30 2 * * *',
      timezone: 'Europe/Berlin',
      enabled: false,
      group: 'g',
      description: 'd\ne',
      labels: { 'a/b': 'c=d' },
      env: { A: '1', B: '' },
      workingDirectory: '/tmp',
      shell: '/bin/bash',
      timeoutSeconds: 5430.5,
      killGraceSeconds: 0,
      concurrency: 'allow',
      maxConcurrent: 3,
      misfire: 'all',
      misfireLimit: 5,
      startDeadlineSeconds: 90,
      retries: { max: 2, on: ['lost'], backoffSeconds: 1.5, maxBackoffSeconds: 60 },
      maxOutputBytes: 1000,
      history: { maxAgeDays: 0.5, maxRuns: 20, keepLastFailure: false },
    },
    { name: 'c', command: 'x', cronExpr: '@daily', history: { maxAgeDays: 365 } },
    { name: 'd', command: 'x', cronExpr: '@daily', history: { maxAgeDays: 1 / 3 } },
    { name: 'e', command: 'x', cronExpr: '@daily', history: { keepLastFailure: true } },
  ];
  for (const input of jobs) {
    const job = parseJob(input);
    const { job: output, errors } = inputOfDraft(draftOfJob(job), words);
    assert.deepEqual(errors, []);
    assert.deepEqual(parseJob(output), job);
  }
});

test('what the editor does not show is kept, and an emptied folder is not', () => {
  const base = parseJob({ name: 'a', command: 'x', cronExpr: '@daily', workingDirectory: '/tmp' });
  const later = { ...base, later: { policy: true } };
  const { job } = inputOfDraft({ ...draftOfJob(later), workingDirectory: '' }, words, later);
  const { workingDirectory, ...rest } = later;
  assert.equal(workingDirectory, '/tmp');
  assert.deepEqual(job, rest);
});

test('says which fields cannot be sent as typed', () => {
  const draft = {
    ...emptyDraft,
    timeout: 'soon',
    maxOutput: 'lots',
    historyAge: 'long',
    historyRuns: '1.5',
    env: [createPair('A', '1'), createPair('', ''), createPair('A', '2')],
  };
  assert.deepEqual(
    inputOfDraft(draft, words).errors.map(({ pointer, got }) => [pointer, got]),
    [
      ['/name', '""'],
      ['/history/maxAgeDays', '"long"'],
      ['/history/maxRuns', '"1.5"'],
      ['/timeoutSeconds', '"soon"'],
      ['/maxOutputBytes', '"lots"'],
      ['/env/A', 'A'],
    ],
  );
});

test('reads what it can of a text that is no valid job', () => {
  const raw = '{"command":"true","cronExpr":"* * 8","timezone":7}';
  assert.deepEqual(draftOfRaw('x', raw), {
    ...emptyDraft,
    name: 'x',
    command: 'true',
    cronExpr: '* * 8',
  });
  assert.deepEqual(draftOfRaw('x', 'not json'), { ...emptyDraft, name: 'x' });
  assert.deepEqual(draftOfRaw('x', 'null'), { ...emptyDraft, name: 'x' });
});

test('a bound that means nothing beside the rest is not sent', () => {
  const base = parseJob({
    name: 'a',
    command: 'x',
    cronExpr: '@daily',
    concurrency: 'allow',
    maxConcurrent: 3,
    misfire: 'all',
    misfireLimit: 5,
  });
  const draft = { ...draftOfJob(base), concurrency: 'queue', misfire: 'skip' } as const;
  const { job, errors } = inputOfDraft(draft, words, base);
  assert.deepEqual(errors, []);
  const saved = parseJob(job);
  assert.equal(saved.maxConcurrent, undefined);
  assert.equal(saved.misfireLimit, undefined);
});

test('an error finds the field that it is about', () => {
  const places: readonly (readonly [string, string | undefined])[] = [
    ['/cronExpr', 'cronExpr'],
    ['name', 'name'],
    ['/env/FOO', 'env'],
    ['/retries/backoffSeconds', 'retryBackoff'],
    ['/retries/on/0', 'retryOn'],
    ['/killGraceSeconds', 'grace'],
    ['/environment', undefined],
    ['', undefined],
  ];
  for (const [pointer, field] of places) assert.equal(fieldAt(pointer), field, pointer);
});

test('takes pasted environment lines apart', () => {
  const pairs = pairsOfLines('A=1\nexport B="two words"\n# C=3\nD=\n not a pair\nE=a=b');
  assert.deepEqual(
    pairs.map(({ key, value }) => [key, value]),
    [
      ['A', '1'],
      ['B', 'two words'],
      ['D', ''],
      ['E', 'a=b'],
    ],
  );
});

test('names the fields in which two definitions differ', () => {
  const before = parseJob({ name: 'a', command: 'x', cronExpr: '* * * * *', env: { A: '1' } });
  const after = parseJob({ ...before, command: 'y', env: { A: '2' }, workingDirectory: '/' });
  assert.deepEqual(
    diffJobs(before, after).map(({ field }) => field),
    ['command', 'env', 'workingDirectory'],
  );
});

test('the address bar makes a filter, and nonsense in it none', () => {
  const filter = readJobFilter(
    new URLSearchParams('q=a&group=x&group=y&status=failing&status=odd&sort=-nextTick&limit=9'),
  );
  assert.deepEqual(filter, {
    q: 'a',
    groups: ['x', 'y'],
    statuses: ['failing'],
    sort: '-nextTick',
    limit: 9,
  });
  const fallback = { sort: 'name', groups: [], statuses: [], limit: 50 };
  assert.deepEqual(readJobFilter(new URLSearchParams('')), fallback);
  assert.deepEqual(
    readJobFilter(new URLSearchParams('q=&group=&sort=up&limit=9999&cursor=')),
    fallback,
  );
});

test('changing a filter starts the list anew', () => {
  const search = new URLSearchParams('q=a&cursor=xyz&group=x');
  assert.equal(changeSearch(search, { q: 'b' }).toString(), 'group=x&q=b');
  assert.equal(changeSearch(search, { q: '', group: ['y', 'z'] }).toString(), 'group=y&group=z');
  assert.equal(changeSearch(search, { q: undefined, group: undefined }).toString(), '');
});
