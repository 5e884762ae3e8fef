import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { z } from 'zod';
import {
  checkEtcdTls,
  etcdCaField,
  etcdCertField,
  etcdField,
  etcdKeyField,
  historyField,
  listenField,
  logLevelField,
  prefixField,
  settingVariables,
} from '../../shared/config/common.ts';
import { describeConfigError, loadConfig } from '../../shared/config/load-config.ts';
import { CronmeshError, type FieldProblem } from '../../shared/errors.ts';

const schema = z
  .strictObject({
    etcd: etcdField,
    etcdCa: etcdCaField,
    etcdCert: etcdCertField,
    etcdKey: etcdKeyField,
    prefix: prefixField,
    history: historyField,
    listen: listenField.prefault('127.0.0.1:8090').describe('Where it listens.'),
    slots: z.int().min(1).default(4).describe('Runs at once.'),
    quiet: z.boolean().default(false).describe('Says less.'),
    logLevel: logLevelField,
  })
  .superRefine(checkEtcdTls);

let folder = '';
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'cronmesh-config-'));
});
after(() => rmSync(folder, { recursive: true, force: true }));

function write(name: string, text: string): string {
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
}

interface Given {
  argv?: readonly string[];
  env?: Readonly<Record<string, string>>;
  file?: string;
}

function load(given: Given) {
  return loadConfig({
    schema,
    envNames: settingVariables,
    usage: 'Usage: example',
    argv: given.argv ?? [],
    env: { CRONMESH_HISTORY: 'sqlite:/x.db', ...given.env },
    ...(given.file === undefined ? {} : { file: given.file }),
  });
}

function loaded(given: Given) {
  const result = load(given);
  assert.equal(result.kind, 'config');
  return result;
}

function problemsOf(given: Given): readonly FieldProblem[] {
  try {
    load(given);
  } catch (error) {
    assert.ok(error instanceof CronmeshError);
    assert.equal(error.code, 'config-invalid');
    return error.problems;
  }
  throw new Error('it was accepted');
}

describe('loadConfig', () => {
  test('defaults stand when nothing is given', () => {
    const { config, warnings } = loaded({});
    assert.deepEqual(config, {
      etcd: ['http://127.0.0.1:2379'],
      prefix: '/cron',
      history: 'sqlite:/x.db',
      listen: { host: '127.0.0.1', port: 8090 },
      slots: 4,
      quiet: false,
      logLevel: 'info',
    });
    assert.deepEqual(warnings, []);
  });

  test('file < environment < flags', () => {
    const file = write('layers.json', '{"slots":1,"prefix":"/file","logLevel":"warn"}');
    const { config } = loaded({
      argv: ['--config', file, '--slots=3', '--etcd', 'a,b:1,https://[::1]:7', '--quiet', 'true'],
      env: { CRONMESH_SLOTS: '2', CRONMESH_PREFIX: '/env', CRONMESH_LISTEN: '[::1]:0' },
    });
    assert.equal(config.slots, 3);
    assert.equal(config.prefix, '/env');
    assert.equal(config.logLevel, 'warn');
    assert.equal(config.quiet, true);
    assert.deepEqual(config.etcd, ['http://a:2379', 'http://b:1', 'https://[::1]:7']);
    assert.deepEqual(config.listen, { host: '::1', port: 0 });
  });

  test('what it answers is frozen all through', () => {
    const { config } = loaded({});
    assert.ok(Object.isFrozen(config) && Object.isFrozen(config.etcd));
    assert.ok(Object.isFrozen(config.listen));
  });

  test('an empty variable is one that is not set', () => {
    assert.equal(loaded({ env: { CRONMESH_PREFIX: '' } }).config.prefix, '/cron');
  });

  test('everything that is wrong is told together, each with its source', () => {
    const file = write('bad.json', '{"slots":-1,"slot":2,"etcd":["ftp://x"],"quiet":"yes"}');
    const problems = problemsOf({
      argv: ['--config', file, '--lisen', 'x:1', '--log-level', 'loud', '--prefix'],
      env: { CRONMESH_LISTEN: 'nowhere', CRONMESH_HISTORY: 'redis://x' },
    });
    const byField = new Map(problems.map((problem) => [problem.field, problem]));
    assert.deepEqual(
      [...byField.keys()].toSorted(),
      [
        '--lisen',
        '--prefix',
        'etcd.0',
        'history',
        'listen',
        'logLevel',
        'quiet',
        'slot',
        'slots',
      ].toSorted(),
    );
    assert.match(byField.get('listen')?.got ?? '', /"nowhere" \(from CRONMESH_LISTEN\)/);
    assert.match(byField.get('slots')?.got ?? '', /^-1 \(from .*bad\.json\)$/);
    assert.match(byField.get('slot')?.expected ?? '', /one of etcd, .*slots/);
    assert.match(byField.get('logLevel')?.got ?? '', /"loud" \(from --log-level\)/);
    assert.match(byField.get('--lisen')?.expected ?? '', /--listen/);
  });

  test('numbers are numbers, never a guess', () => {
    for (const text of ['ten', 'NaN', '1e3', 'Infinity', '0x10', ' 4', '2.5', '-3', '0']) {
      const problems = problemsOf({ env: { CRONMESH_SLOTS: text } });
      assert.equal(problems[0]?.field, 'slots', text);
    }
  });

  test('addresses', () => {
    for (const text of ['8090', 'host', 'host:99999', 'a b:1', '[::zz]:1', '::1:80', ':80', 'h:']) {
      assert.equal(problemsOf({ argv: ['--listen', text] })[0]?.field, 'listen', text);
    }
    for (const text of ['http://a/b', 'http://u:p@a', 'http://a?b', '', ' ', 'http://']) {
      const problems = problemsOf({ file: write('etcd.json', JSON.stringify({ etcd: [text] })) });
      assert.equal(problems[0]?.field, 'etcd.0', text);
    }
    for (const text of ['cron', '/', '/cron/', '//cron', '/a b', '/a\0']) {
      const problems = problemsOf({ file: write('prefix.json', JSON.stringify({ prefix: text })) });
      assert.equal(problems[0]?.field, 'prefix', text);
    }
  });

  test('TLS files come in pairs, and only with https', () => {
    const problems = problemsOf({ argv: ['--etcd-cert', 'c.pem'] });
    assert.deepEqual(
      problems.map((problem) => problem.field),
      ['etcdKey', 'etcd'],
    );
    const { config } = loaded({
      argv: ['--etcd', 'https://a', '--etcd-cert', 'c.pem', '--etcd-key', 'k.pem'],
    });
    assert.deepEqual(config.etcd, ['https://a:2379']);
  });

  test('a file that is no JSON is told by line and column, without its text', () => {
    const file = write('broken.json', '{\n  "history": "mongodb://u:hidden@h",\n  "slots": 1,,\n}');
    const [problem] = problemsOf({ argv: ['--config', file] });
    assert.match(problem?.message ?? '', /broken\.json is not JSON/);
    assert.match(problem?.got ?? '', /line 3, column 14: a field name/);
    assert.doesNotMatch(JSON.stringify(problem), /hidden/);
  });

  test('a file that cannot be read, or is no object', () => {
    const [missing] = problemsOf({ argv: ['--config', join(folder, 'none.json')] });
    assert.match(missing?.message ?? '', /none\.json cannot be read/);
    assert.equal(missing?.got, 'ENOENT');
    const [array] = problemsOf({ file: write('array.json', '[]') });
    assert.equal(array?.got, 'an array');
  });

  test('a secret is refused on the command line and masked where it is shown', () => {
    const url = 'mongodb://user:hidden@host/db';
    const problems = problemsOf({ argv: ['--history', url] });
    assert.match(problems[0]?.expected ?? '', /CRONMESH_HISTORY/);
    assert.doesNotMatch(JSON.stringify(problems), /hidden/);
    const { config, shown } = loaded({ env: { CRONMESH_HISTORY: url } });
    assert.equal(config.history, url);
    assert.equal(shown['history'], 'mongodb://***@host/db');
    const bad = problemsOf({ env: { CRONMESH_HISTORY: 'mongo://user:hidden@host/db' } });
    assert.doesNotMatch(JSON.stringify(bad), /hidden/);
    assert.equal(loaded({ argv: ['--history', 'mongodb://host/db'] }).config.history.length, 17);
  });

  test('a misspelt variable is warned of, a variable of the other process is not', () => {
    const { warnings } = loaded({
      env: { CRONMESH_ECTD: 'x', CRONMESH_WORKER_ID: 'w', CRONMESH_TEST_MONGOD: 'm' },
    });
    assert.equal(warnings.length, 1);
    assert.match(warnings[0] ?? '', /^CRONMESH_ECTD .*CRONMESH_ETCD/);
  });

  test('help names every flag, its variable and its default', () => {
    const result = load({ argv: ['--help', '--nonsense'] });
    assert.equal(result.kind, 'help');
    assert.match(result.text, /^Usage: example\n/);
    assert.match(result.text, /--listen LISTEN|--listen /);
    assert.match(result.text, /--slots NUMBER +Runs at once\. Default 4\. \[CRONMESH_SLOTS\]/);
    assert.match(result.text, /--log-level LEVEL/);
    assert.match(result.text, /--config FILE/);
  });

  test('the block for a terminal says field, expected and got', () => {
    try {
      load({ argv: ['--slots', 'x', '--bogus'] });
      assert.fail();
    } catch (error) {
      const text = describeConfigError('The master', error);
      assert.match(text, /^The master cannot start: 2 settings are wrong\.\n/);
      assert.match(text, /slots: .*\n +expected .*number.*\n +got +"x" \(from --slots\)/);
    }
  });

  test('__proto__ in a file is just an unknown setting', () => {
    const file = write('proto.json', '{"__proto__":{"slots":9}}');
    assert.equal(problemsOf({ file })[0]?.field, '__proto__');
  });
});
