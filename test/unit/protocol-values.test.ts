import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isValidName } from '../../shared/job/job-name.ts';
import { parseStoredJob } from '../../shared/job/parse-job.ts';
import { encodeCursor, parseCursor } from '../../shared/protocol/cursor.ts';
import { createKeys } from '../../shared/protocol/keys.ts';

describe('keys', () => {
  const keys = createKeys('/cron');

  it('reads back every key it builds', () => {
    const cases: readonly (readonly [string, object])[] = [
      [keys.job('a'), { kind: 'job', name: 'a' }],
      [keys.cursor('a'), { kind: 'cursor', name: 'a' }],
      [keys.state('a'), { kind: 'state', name: 'a' }],
      [keys.session('12'), { kind: 'session', id: '12' }],
      [keys.worker('w'), { kind: 'worker', id: 'w' }],
      [keys.once('q'), { kind: 'once', id: 'q' }],
      [keys.fire('a', 't1'), { kind: 'fire', name: 'a', id: 't1' }],
      [keys.trigger('a', 'm1'), { kind: 'trigger', name: 'a', id: 'm1' }],
      [keys.done('a', 'd1'), { kind: 'done', name: 'a', id: 'd1' }],
      [keys.killer('a'), { kind: 'killer', name: 'a', id: undefined }],
      [keys.killer('a', 'r1'), { kind: 'killer', name: 'a', id: 'r1' }],
    ];
    for (const [key, parsed] of cases) assert.deepEqual(keys.parse(key), parsed);
  });

  it('ignores what is not its own, also names of object properties', () => {
    for (const key of [
      '/cron',
      '/cron/',
      '/cronx/jobs/a',
      '/cron/jobs/',
      '/cron/constructor/a',
      '/cron/lock/a',
    ]) {
      assert.equal(keys.parse(key), undefined, key);
    }
  });

  it('keeps the range of one job apart from its namesakes', () => {
    const { key, rangeEnd } = keys.fires('a');
    assert.ok(keys.fire('a', 'z') >= key && keys.fire('a', 'z') < rangeEnd);
    assert.ok(keys.fire('ab', 't') < key || keys.fire('ab', 't') >= rangeEnd);
    assert.ok(keys.fire('a-b', 't') < key || keys.fire('a-b', 't') >= rangeEnd);
  });
});

describe('cursor', () => {
  it('orders as text as it orders in time, and refuses any other width', () => {
    const early = encodeCursor({ tick: 999, schedule: '-' });
    const late = encodeCursor({ tick: 1_000_000_000_000, schedule: '-' });
    assert.ok(early < late);
    assert.deepEqual(parseCursor(late), { tick: 1_000_000_000_000, schedule: '-' });
    for (const text of [
      '',
      '1 -',
      '000000000000999 -',
      '00000000000000999 -',
      '0000000000000999',
      '0000000000000999 ',
      '0000000000000x99 -',
    ]) {
      assert.equal(parseCursor(text), undefined, text);
    }
    assert.throws(() => encodeCursor({ tick: -1, schedule: '-' }), RangeError);
    assert.throws(() => encodeCursor({ tick: Number.NaN, schedule: '-' }), RangeError);
  });
});

describe('job names', () => {
  it('takes what is one harmless segment, and nothing else', () => {
    for (const name of ['a', 'backup-db', 'Job_1.2', '每日备份', 'é', 'x'.repeat(128)]) {
      assert.equal(isValidName(name), true, name);
    }
    for (const name of [
      '',
      '.',
      '..',
      'a..b',
      '.a',
      '-a',
      'a/b',
      'a b',
      'a\0',
      'a\n',
      'x'.repeat(129),
      'e\u0301',
      'a\u202eb',
    ]) {
      assert.equal(isValidName(name), false, JSON.stringify(name));
    }
  });
});

describe('stored definitions', () => {
  it('fills defaults for the bare three fields', () => {
    const parsed = parseStoredJob(
      'a',
      Buffer.from('{"name":"a","command":"true","cronExpr":"* * * * *"}'),
    );
    assert.ok(parsed.ok);
    assert.equal(parsed.job.timezone, 'UTC');
    assert.equal(parsed.job.concurrency, 'forbid');
    assert.equal(parsed.job.shell, '/bin/sh');
  });

  it('names field, expected and got for everything that is wrong', () => {
    const cases: readonly (readonly [string, string])[] = [
      ['{', ''],
      ['[]', ''],
      ['null', ''],
      ['{"name":"a","command":"true"}', '/cronExpr'],
      ['{"name":"b","command":"true","cronExpr":"* * * * *"}', '/name'],
      ['{"name":"a","command":"","cronExpr":"* * * * *"}', '/command'],
      ['{"name":"a","command":"a\\u0000b","cronExpr":"* * * * *"}', '/command'],
      [`{"name":"a","command":"${'x'.repeat(65_537)}","cronExpr":"* * * * *"}`, '/command'],
      ['{"name":"a","command":"true","cronExpr":"*/0 * * * *"}', '/cronExpr'],
      ['{"name":"a","command":"true","cronExpr":"0 0 30 2 *"}', '/cronExpr'],
      [
        '{"name":"a","command":"true","cronExpr":"* * * * *","timezone":"Mars/Olympus"}',
        '/timezone',
      ],
      [
        '{"name":"a","command":"true","cronExpr":"* * * * *","timeoutSeconds":-1}',
        '/timeoutSeconds',
      ],
      [
        '{"name":"a","command":"true","cronExpr":"* * * * *","killGraceSeconds":"5"}',
        '/killGraceSeconds',
      ],
      [
        '{"name":"a","command":"true","cronExpr":"* * * * *","maxOutputBytes":1.5}',
        '/maxOutputBytes',
      ],
      [
        '{"name":"a","command":"true","cronExpr":"* * * * *","concurrency":"maybe"}',
        '/concurrency',
      ],
      ['{"name":"a","command":"true","cronExpr":"* * * * *","extra":1}', '/extra'],
      ['{"name":"a","command":"true","cronExpr":"* * * * *","retries":{"max":-1}}', '/retries/max'],
      [
        '{"name":"a","command":"true","cronExpr":"* * * * *","retries":{"on":["killed"]}}',
        '/retries/on/0',
      ],
      [
        '{"name":"a","command":"true","cronExpr":"* * * * *","retries":{"backoff":1}}',
        '/retries/backoff',
      ],
      ['{"name":"a","command":"true","cronExpr":"* * * * *","misfire":"all"}', '/misfireLimit'],
      ['{"name":"a","command":"true","cronExpr":"* * * * *","misfireLimit":3}', '/misfireLimit'],
      ['{"name":"a","command":"true","cronExpr":"* * * * *","maxConcurrent":3}', '/maxConcurrent'],
      [
        '{"name":"a","command":"true","cronExpr":"* * * * *","startDeadlineSeconds":0}',
        '/startDeadlineSeconds',
      ],
      [
        '{"name":"a","command":"true","cronExpr":"* * * * *","timeoutSeconds":5,"killGraceSeconds":6}',
        '/killGraceSeconds',
      ],
      ['{"name":"a","command":"true","cronExpr":"* * * * *","env":{"CRON_X":"1"}}', '/env/CRON_X'],
      [
        '{"name":"a","command":"true","cronExpr":"* * * * *","workingDirectory":"tmp"}',
        '/workingDirectory',
      ],
    ];
    for (const [text, field] of cases) {
      const parsed = parseStoredJob('a', Buffer.from(text));
      assert.equal(parsed.ok, false, text.slice(0, 100));
      if (parsed.ok) continue;
      const problem = parsed.problems.find((candidate) => candidate.field === field);
      assert.ok(problem, `${text.slice(0, 100)}: ${JSON.stringify(parsed.problems)}`);
      assert.ok(problem.message !== '' && problem.expected !== '' && problem.got !== '');
    }
  });

  it('refuses bytes that are not UTF-8, and does not fall for prototype names', () => {
    assert.equal(parseStoredJob('a', Buffer.from([0xff, 0xfe])).ok, false);
    const text =
      '{"name":"a","command":"true","cronExpr":"* * * * *","__proto__":{"enabled":false}}';
    assert.equal(parseStoredJob('a', Buffer.from(text)).ok, false);
  });
});
