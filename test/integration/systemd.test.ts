/**
 * What we ship for systemd: units that `systemd-analyze verify` accepts without a word, a master
 * that stays shut in, sysusers and tmpfiles snippets that name the user and folders the units use.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { masterSchema } from '../../master/config.ts';
import { findProgram, projectRoot } from '../support/programs.ts';
import { workerConfigSchema } from '../../worker/config.ts';

const run = promisify(execFile);
const units = ['cronmesh-master.service', 'cronmesh-worker.service'];
const shipped = join(projectRoot(), 'systemd');

async function readExample(side: 'master' | 'worker'): Promise<unknown> {
  return JSON.parse(await readFile(join(shipped, `${side}.example.json`), 'utf8'));
}

/** Settings of a unit file, each with all its values in order. */
async function readUnit(name: string): Promise<Map<string, string[]>> {
  const settings = new Map<string, string[]>();
  const text = await readFile(join(shipped, name), 'utf8');
  for (const line of text.split('\n')) {
    const match = /^([A-Za-z]+)=(.*)$/.exec(line);
    if (match === null) continue;
    const [, key = '', value = ''] = match;
    settings.set(key, [...(settings.get(key) ?? []), value]);
  }
  return settings;
}

describe('systemd units', () => {
  let folder: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cronmesh-units-'));
    for (const unit of units) {
      const text = await readFile(join(shipped, unit), 'utf8');
      // Where this machine's node is; verify refuses a program that is not there.
      await writeFile(join(folder, unit), text.replaceAll('/usr/bin/node', process.execPath));
    }
  });

  after(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  for (const unit of units) {
    test(`systemd-analyze verify has nothing to say about ${unit}`, async () => {
      const { stdout, stderr } = await run(findProgram('systemd-analyze'), [
        'verify',
        '--man=no',
        join(folder, unit),
      ]);
      // It warns of unknown settings and values, yet ends with 0: only silence is a pass. What it
      // says of other units, those of this machine, is not ours.
      const ours = `${stdout}${stderr}`.split('\n').filter((line) => line.includes('cronmesh'));
      assert.deepEqual(ours, []);
    });
  }

  test('verify would have told of a misspelt setting', async () => {
    const broken = join(folder, 'cronmesh-broken.service');
    await writeFile(broken, `[Service]\nExecStart=${process.execPath}\nKilMode=mixed\n`);
    const { stderr } = await run(findProgram('systemd-analyze'), ['verify', '--man=no', broken]);
    assert.match(stderr, /KilMode/);
  });

  test('the start commands and config files are those of the README and the examples', async () => {
    for (const [unit, side] of [
      ['cronmesh-master.service', 'master'],
      ['cronmesh-worker.service', 'worker'],
    ] as const) {
      const settings = await readUnit(unit);
      assert.deepEqual(settings.get('ExecStart'), [
        `/usr/bin/node /opt/cronmesh/dist/${side}/main.js --config /etc/cronmesh/${side}.json`,
      ]);
      await readFile(join(shipped, `${side}.example.json`), 'utf8');
    }
  });

  test('a worker is stopped alone first, and nothing of it is left behind', async () => {
    const settings = await readUnit('cronmesh-worker.service');
    assert.deepEqual(settings.get('KillMode'), ['mixed']);
    assert.deepEqual(settings.get('SendSIGKILL'), ['yes']);
    assert.deepEqual(settings.get('Delegate'), ['yes']);
    assert.deepEqual(settings.get('OOMPolicy'), ['continue']);
  });

  test('the user and the folders of the units are those of sysusers and tmpfiles', async () => {
    const sysusers = await readFile(join(shipped, 'sysusers.d', 'cronmesh.conf'), 'utf8');
    const tmpfiles = await readFile(join(shipped, 'tmpfiles.d', 'cronmesh.conf'), 'utf8');
    assert.match(sysusers, /^u cronmesh - /m);
    for (const unit of units) {
      const settings = await readUnit(unit);
      assert.deepEqual(settings.get('User'), ['cronmesh']);
      assert.deepEqual(settings.get('StateDirectory'), ['cronmesh']);
      assert.deepEqual(settings.get('StateDirectoryMode'), ['0750']);
    }
    assert.match(tmpfiles, /^d \/var\/lib\/cronmesh +0750 cronmesh +cronmesh/m);
    assert.match(tmpfiles, /^d \/etc\/cronmesh +0750 root +cronmesh/m);
  });

  test('the example configs are accepted, and belong to the units and the nginx site', async () => {
    const master = masterSchema.parse(await readExample('master'));
    const worker = workerConfigSchema.parse(await readExample('worker'));
    assert.equal(master.history, worker.history);
    assert.deepEqual(master.etcd, worker.etcd);
    assert.match(worker.data, /^\/var\/lib\/cronmesh\//);
    const site = await readFile(join(shipped, 'nginx.conf'), 'utf8');
    assert.ok(site.includes(`server ${master.listen.host}:${master.listen.port} `));
    const serverName = /^ +server_name (\S+);/m.exec(site)?.[1];
    assert.ok(serverName !== undefined && master.allowedHosts.includes(serverName));
  });

  test('systemd waits for longer than a worker takes to drain', async () => {
    const settings = await readUnit('cronmesh-worker.service');
    const { drainSeconds } = workerConfigSchema.parse(await readExample('worker'));
    assert.ok(Number(settings.get('TimeoutStopSec')?.[0]) >= drainSeconds + 60);
  });

  test('nothing is shipped that is not looked at here or in the nginx test', async () => {
    assert.deepEqual((await readdir(shipped)).toSorted(), [
      ...units,
      'master.example.json',
      'nginx.conf',
      'sysusers.d',
      'tmpfiles.d',
      'worker.example.json',
    ]);
  });
});
