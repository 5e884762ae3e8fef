import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { masterSchema, type MasterConfig } from '../../master/config.ts';
import { meshPlaces } from '../../master/cells/cell-settings.ts';
import { cellIn, withoutCell } from '../../master/http/cell-paths.ts';
import { settingVariables } from '../../shared/config/common.ts';
import { loadConfig } from '../../shared/config/load-config.ts';
import { CronmeshError, type FieldProblem } from '../../shared/errors.ts';
import { cellIn as consoleCellIn, roomInCell } from '../../webroot/src/api/cell-path.ts';

const perCell = 'mongodb://db:27017/cronmesh-{cell}';

function load(argv: readonly string[], env: Readonly<Record<string, string>> = {}): MasterConfig {
  const result = loadConfig({
    schema: masterSchema,
    envNames: settingVariables,
    usage: 'Usage: example',
    argv,
    env: { CRONMESH_HISTORY: perCell, ...env },
  });
  assert.ok(result.kind === 'config');
  return result.config;
}

function refused(
  argv: readonly string[],
  env: Readonly<Record<string, string>> = {},
): readonly FieldProblem[] {
  try {
    load(argv, env);
  } catch (error) {
    assert.ok(error instanceof CronmeshError);
    return error.problems;
  }
  throw new Error(`accepted: ${argv.join(' ')}`);
}

describe('cells of a master', () => {
  test('without cells there is one mesh without a name, below /cron unless a prefix is given', () => {
    const history = 'sqlite:/x.db';
    const env = { CRONMESH_HISTORY: history };
    assert.deepEqual(meshPlaces(load([], env)), [{ prefix: '/cron', history }]);
    assert.deepEqual(meshPlaces(load(['--prefix', '/a'], env)), [{ prefix: '/a', history }]);
  });

  test('each has its prefix and a store of its own, from a flag or the environment', () => {
    const text = 'berlin=/cron-berlin, oslo=/cron';
    const expected = [
      { name: 'berlin', prefix: '/cron-berlin', history: 'mongodb://db:27017/cronmesh-berlin' },
      { name: 'oslo', prefix: '/cron', history: 'mongodb://db:27017/cronmesh-oslo' },
    ];
    assert.deepEqual(meshPlaces(load(['--cells', text])), expected);
    assert.deepEqual(meshPlaces(load([], { CRONMESH_CELLS: text })), expected);
  });

  test('one cell alone may have a store without its name', () => {
    const config = load(['--cells', 'a=/a'], { CRONMESH_HISTORY: 'sqlite:/x.db' });
    assert.deepEqual(meshPlaces(config), [{ name: 'a', prefix: '/a', history: 'sqlite:/x.db' }]);
  });

  const name =
    '1 to 32 lower-case letters, digits, "_" or "-" before the "=", beginning and ending with a letter or digit';
  const prefix =
    'a path after the "=" that begins with "/" and does not end with it, such as "/cron"';
  const wrong: readonly (readonly [cells: string, field: string, expected: string, got: string])[] =
    [
      ['a', 'cells.0', 'NAME=PREFIX, such as "berlin=/cron-berlin"', '"a"'],
      ['a=/a,=/b', 'cells.1', name, '"=/b"'],
      ['A=/a', 'cells.0', name, '"A=/a"'],
      ['a.b=/a', 'cells.0', name, '"a.b=/a"'],
      ['..=/a', 'cells.0', name, '"..=/a"'],
      ['a/b=/a', 'cells.0', name, '"a/b=/a"'],
      ['-a=/a', 'cells.0', name, '"-a=/a"'],
      ['a=', 'cells.0', prefix, '"a="'],
      ['a=cron', 'cells.0', prefix, '"a=cron"'],
      ['a=/', 'cells.0', prefix, '"a=/"'],
      ['a=/cron/', 'cells.0', prefix, '"a=/cron/"'],
      ['a=/a,a=/b', 'cells.1', 'a name of its own for each cell', '"a=/b"'],
      ['a=/a,b=/a', 'cells.1', 'a prefix that is neither "/a" nor below or above it', '"b=/a"'],
      ['a=/a,b=/a/b', 'cells.1', 'a prefix that is neither "/a" nor below or above it', '"b=/a/b"'],
      ['a=/a/b,b=/a', 'cells.1', 'a prefix that is neither "/a/b" nor below or above it', '"b=/a"'],
      [',', 'cells', 'at least 1', '[]'],
    ];
  for (const [text, field, expected, got] of wrong) {
    test(`refused: --cells ${text}`, () => {
      const problems = refused(['--cells', text]);
      assert.deepEqual(
        problems.map((problem) => [problem.field, problem.expected]),
        [[field, expected]],
      );
      assert.equal(problems[0]?.got, `${got} (from --cells)`);
    });
  }

  test('sixteen are enough', () => {
    const many = (count: number): string =>
      Array.from({ length: count }, (_, index) => `c${index}=/c${index}`).join(',');
    assert.equal(meshPlaces(load(['--cells', many(16)])).length, 16);
    const [problem] = refused(['--cells', many(17)]);
    assert.equal(problem?.field, 'cells');
    assert.match(problem.expected, /^at most 16/);
  });

  test('prefixes that only begin alike are no nest', () => {
    assert.equal(meshPlaces(load(['--cells', 'a=/cron,b=/cron-b'])).length, 2);
  });

  test('prefix and cells at once are refused, wherever they come from', () => {
    const problems = refused(['--cells', 'a=/a'], { CRONMESH_PREFIX: '/cron' });
    assert.deepEqual(problems, [
      {
        field: 'prefix',
        message: 'stands beside cells',
        expected: 'either prefix or cells, which have one each',
        got: '"/cron" (from CRONMESH_PREFIX)',
      },
    ]);
  });

  test('several cells never share a store, and a password is not told', () => {
    for (const history of [
      'mongodb://u:secret@db/cronmesh',
      'mongodb://u:{cell}@db/cronmesh',
      'mongodb://u:secret@db/cronmesh?appName={cell}',
      'sqlite:/x.db',
    ]) {
      const problems = refused(['--cells', 'a=/a,b=/b'], { CRONMESH_HISTORY: history });
      const [problem] = problems;
      assert.equal(problems.length, 1, history);
      assert.equal(problem?.field, 'history');
      assert.equal(problem.message, 'is one store for several cells');
      assert.match(problem.expected, /\{cell\}/);
      assert.doesNotMatch(problem.got, /secret/);
    }
  });

  test('a place for the name of a cell needs cells', () => {
    const [problem] = refused([]);
    assert.equal(problem?.field, 'history');
    assert.match(problem.message, /there are no cells/);
  });
});

test('a path tells its cell and what it is inside', () => {
  for (const [path, cell, inside] of [
    ['/cells/a/api/v1/jobs', 'a', '/api/v1/jobs'],
    ['/cells/a/', 'a', '/'],
    ['/cells/a', 'a', '/'],
    ['/cells//jobs', '', '/jobs'],
    ['/cells', undefined, '/cells'],
    ['/jobs/cells/a', undefined, '/jobs/cells/a'],
  ] as const) {
    assert.equal(cellIn(path), cell, path);
    assert.equal(withoutCell(path), inside, path);
  }
});

test('the console stays in its cell, and goes to the same room of another', () => {
  assert.equal(consoleCellIn('/cells/a/jobs/x'), 'a');
  assert.equal(consoleCellIn('/cells/a'), 'a');
  assert.equal(consoleCellIn('/jobs/cells/a'), undefined);
  assert.equal(roomInCell('b', '/cells/a/jobs/x/edit'), '/cells/b/jobs');
  assert.equal(roomInCell('b', '/cells/a/runs'), '/cells/b/runs');
  assert.equal(roomInCell('b', '/cells/a'), '/cells/b/');
});
