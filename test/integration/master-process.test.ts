/** The master as its unit starts it: settings, signals, exit codes, what it says. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { startEtcd, withPrefix, type TestEtcd } from '../support/etcd-server.ts';
import { freePort, ServerProcess, waitFor } from '../support/server-process.ts';
import { EventReader } from './master-support.ts';

const main = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'master', 'main.js');

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

async function run(
  argv: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  const child = spawn(process.execPath, [main, ...argv], {
    env: { PATH: process.env['PATH'] ?? '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  await once(child, 'close');
  return { code: child.exitCode, stdout, stderr };
}

describe('the master process', () => {
  let etcd: TestEtcd;
  let folder = '';

  before(async () => {
    etcd = await startEtcd();
    folder = mkdtempSync(join(tmpdir(), 'cronmesh-master-process-'));
  });
  after(async () => {
    await etcd.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  function configFile(settings: Readonly<Record<string, unknown>>): string {
    const file = join(folder, `master-${Math.random().toString(36).slice(2)}.json`);
    writeFileSync(
      file,
      JSON.stringify({
        etcd: etcd.endpoints,
        prefix: withPrefix('process'),
        history: `sqlite:${join(folder, 'history.db')}`,
        ...settings,
      }),
    );
    return file;
  }

  async function start(
    settings: Readonly<Record<string, unknown>>,
  ): Promise<{ master: ServerProcess; url: string }> {
    const port = await freePort();
    const file = configFile({ listen: `127.0.0.1:${port}`, ...settings });
    return {
      master: new ServerProcess(process.execPath, [main, '--config', file]),
      url: `http://127.0.0.1:${port}`,
    };
  }

  const answers = (url: string, path: string, status: number) =>
    waitFor(
      async () => {
        try {
          return (await fetch(`${url}${path}`)).status === status;
        } catch {
          // Not listening yet.
          return false;
        }
      },
      { timeoutMs: 15_000, describe: () => `${path} answers ${status}` },
    );

  test('starts, says where it listens and why there, and stops while streams are open', async () => {
    const { master, url } = await start({});
    await answers(url, '/readyz', 200);
    assert.match(
      master.output,
      /listening on http:\/\/127\.0\.0\.1:\d+\/ - this machine only, on purpose/,
    );
    const reader = await EventReader.open(`${url}/api/v1/stream`);
    await reader.next(({ event }) => event === 'snapshot');
    const begunAt = Date.now();
    await master.stop(8_000);
    assert.ok(Date.now() - begunAt < 5_000);
    await reader.ended();
    assert.ok(reader.lines.includes('retry: 500'), 'told to come back soon');
    assert.match(master.output, /"msg":"stopped"/);
    assert.doesNotMatch(master.output, /"level":"(warn|error)"/);
  });

  test('bound to more than loopback it warns', async () => {
    const port = await freePort();
    const { master, url } = await start({ listen: `0.0.0.0:${port}` });
    await answers(`http://127.0.0.1:${port}`, '/livez', 200);
    assert.notEqual(url, '');
    assert.match(master.output, /"level":"warn".*there are no users yet/);
    await master.stop();
  });

  test('without etcd it answers, and says why it is not ready; it stops as well', async () => {
    const dead = await freePort();
    const { master, url } = await start({ etcd: [`http://127.0.0.1:${dead}`] });
    await answers(url, '/livez', 200);
    await answers(url, '/readyz', 503);
    const begunAt = Date.now();
    await master.stop(8_000);
    assert.ok(Date.now() - begunAt < 6_000);
    assert.doesNotMatch(master.output, /TypeError|ReferenceError/);
  });

  test('a taken port: one sentence, exit 1', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const address = taken.address();
    assert.ok(typeof address === 'object' && address !== null);
    const listen = `127.0.0.1:${address.port}`;
    const ended = await run(['--config', configFile({ listen })]);
    taken.close();
    assert.equal(ended.code, 1);
    assert.match(
      ended.stderr,
      new RegExp(`^Cannot listen on ${listen}: another process uses that port\\.[^\\n]*\\n$`),
    );
  });

  test('an address that is not of this machine: which setting, exit 1', async () => {
    const ended = await run(['--config', configFile({ listen: '203.0.113.7:8090' })]);
    assert.equal(ended.code, 1);
    assert.match(ended.stderr, /listen: cannot be listened on \(EADDRNOTAVAIL\)/);
  });

  test('bad settings: all of them in one block, exit 1', async () => {
    const file = configFile({ listen: 'nowhere', colour: 'red', prefix: 'cron' });
    const ended = await run(['--config', file, '--log-level', 'loud'], {
      CRONMESH_ETCD: 'ftp://x',
    });
    assert.equal(ended.code, 1);
    assert.equal(ended.stdout, '');
    for (const field of ['listen', 'colour', 'prefix', 'logLevel', 'etcd.0']) {
      assert.match(ended.stderr, new RegExp(`^  ${field}: `, 'm'), field);
    }
    assert.match(
      ended.stderr,
      /expected .*\n +got +"ftp:\/\/x" \(from CRONMESH_ETCD\)|got.*from CRONMESH_ETCD/,
    );
    const missing = await run([]);
    assert.equal(missing.code, 1);
    assert.match(missing.stderr, /history: is missing/);
    const tls = await run(['--config', configFile({ etcd: ['https://x'], etcdCa: '/none.pem' })]);
    assert.equal(tls.code, 1);
    assert.match(tls.stderr, /etcdCa: cannot be read \(ENOENT\)/);
    const store = await run(['--history', 'sqlite:/'], {});
    assert.equal(store.code, 1);
    assert.match(store.stderr, /history/);
  });

  test('--help lists the settings; a misspelt variable is warned of', async () => {
    const help = await run(['--help']);
    assert.equal(help.code, 0);
    for (const flag of [
      '--etcd',
      '--prefix',
      '--history',
      '--listen',
      '--allowed-hosts',
      '--log-level',
    ]) {
      assert.ok(help.stdout.includes(flag), flag);
    }
    const port = await freePort();
    const child = new ServerProcess('/usr/bin/env', [
      'CRONMESH_LISEN=x',
      process.execPath,
      main,
      '--config',
      configFile({ listen: `127.0.0.1:${port}` }),
    ]);
    await answers(`http://127.0.0.1:${port}`, '/livez', 200);
    assert.match(child.output, /CRONMESH_LISEN is set but is no setting/);
    await child.stop();
  });
});
