/**
 * The worker as a process: how it refuses to start, how it registers, how it drains, and what a
 * run of it sees.
 */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { decodeValue, workerSchema, type WorkerValue } from '../../shared/protocol/values.ts';
import { startEtcd, type TestEtcd } from '../support/etcd-server.ts';
import { startMesh, withMesh, type TestMesh } from '../support/mesh.ts';
import { noteRun, readOracle } from '../support/oracle.ts';
import { freePort, ServerProcess, waitFor } from '../support/server-process.ts';

const main = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../worker/main.js');

async function refusal(args: readonly string[], env: readonly string[] = []): Promise<string> {
  const worker = new ServerProcess('/usr/bin/env', [
    '-u',
    'CRONMESH_HISTORY',
    ...env,
    process.execPath,
    main,
    ...args,
  ]);
  const ended = await Promise.race([
    worker.exited().then(() => true),
    new Promise((resolve) => void setTimeout(resolve, 20_000, false)),
  ]);
  if (ended !== true) await worker.kill();
  assert.equal(ended, true, `it must give up by itself: ${worker.output}`);
  assert.doesNotMatch(worker.output, /\n\s+at /, 'no stack trace on a terminal');
  return worker.output;
}

describe('a worker that cannot start', () => {
  it('names every setting that is wrong, with expected and got', async () => {
    const output = await refusal(['--slots', '0', '--etcd', 'ftp://x', '--colour', 'red']);
    for (const word of ['slots', 'etcd', '--colour', 'history', 'expected', 'got']) {
      assert.match(output, new RegExp(word), output);
    }
  });

  it('says in one sentence that no etcd answers', async () => {
    const port = await freePort();
    const data = mkdtempSync(path.join(tmpdir(), 'cronmesh-no-etcd-'));
    const output = await refusal(
      ['--etcd', `http://127.0.0.1:${port}`, '--data', data, '--log-level', 'silent'],
      [`CRONMESH_HISTORY=sqlite:${data}/history.db`],
    );
    rmSync(data, { recursive: true });
    assert.match(output, /^worker cannot start: .*etcd/m);
    assert.equal(output.trim().split('\n').length, 1, output);
  });
});

describe('a worker process', () => {
  let etcd: TestEtcd;
  before(async () => {
    etcd = await startEtcd();
  });
  after(async () => {
    await etcd.stop();
  });

  it('shows a run its job, ids, tick, attempt and fence, and nothing of its own environment', async () => {
    await withMesh({ etcd }, async (mesh) => {
      await mesh.startWorkers(['w1']);
      await mesh.putJob({
        name: 'env',
        command: `env | sort > ${mesh.folder}/env.tmp; mv ${mesh.folder}/env.tmp ${mesh.folder}/env.txt; ${noteRun(mesh.oracle, ':')}`,
        cronExpr: '* * * * * *',
        env: { GREETING: 'hello $HOME {{x}}' },
      });
      const line = await waitFor(() => readOracle(mesh.oracle)[0], {
        timeoutMs: 15_000,
        describe: () => 'a run',
      });
      const rows = await waitFor(
        async () => {
          const found = await mesh.rows();
          return found.some(({ id, outcome }) => id === line.runId && outcome !== undefined)
            ? found
            : undefined;
        },
        { timeoutMs: 10_000, describe: () => 'its row' },
      );
      const row = rows.find(({ id }) => id === line.runId);
      assert.equal(row?.fence, line.fence);
      assert.equal(row?.tick, line.tick);
      assert.equal(row?.attempt, 1);
      assert.equal(row?.worker, 'w1');
      const names = readFileSync(path.join(mesh.folder, 'env.txt'), 'utf8')
        .trim()
        .split('\n')
        .map((text) => text.split('=')[0])
        .filter((name) => name !== '_' && name !== 'PWD' && name !== 'OLDPWD' && name !== 'SHLVL');
      assert.deepEqual(names, [
        'CRON_ATTEMPT',
        'CRON_FENCE',
        'CRON_JOB',
        'CRON_RUN_ID',
        'CRON_TICK',
        'GREETING',
        'HOME',
        'LANG',
        'LOGNAME',
        'PATH',
        'SHELL',
        'USER',
      ]);
    });
  });

  it('drains on SIGTERM: claims nothing more, lets the run finish, and is out of the registry at once', async () => {
    await withMesh({ etcd }, async (mesh) => {
      await mesh.startWorkers(['w1']);
      await mesh.putJob({
        name: 'long',
        command: `${noteRun(mesh.oracle, 'sleep 3', 'begun')}; ${noteRun(mesh.oracle, ':', 'finished')}`,
        cronExpr: '* * * * * *',
      });
      await waitFor(() => readOracle(mesh.oracle).length > 0, {
        timeoutMs: 15_000,
        describe: () => 'the run to begin',
      });
      const worker = mesh.workers.get('w1');
      assert.ok(worker);
      worker.signal('SIGTERM');
      await waitFor(async () => (await registration(mesh, 'w1'))?.state === 'draining', {
        timeoutMs: 3_000,
        describe: () => 'the registration to say draining',
      });
      await worker.exited();
      assert.equal(await registration(mesh, 'w1'), undefined);
      assert.equal((await mesh.list('session/')).length, 0);
      assert.equal((await mesh.list('lock/')).length, 0);
      const lines = readOracle(mesh.oracle);
      assert.deepEqual(
        lines.map(({ what }) => what),
        ['begun', 'finished'],
      );
      const row = (await mesh.rows()).find(({ id }) => id === lines[0]?.runId);
      assert.equal(row?.outcome, 'succeeded');
    });
  });

  it('refuses a data folder that another worker uses', async () => {
    await withMesh({ etcd }, async (mesh) => {
      await mesh.startWorkers(['w1']);
      const output = await refusal([
        '--config',
        path.join(mesh.folder, 'w1', 'worker.json'),
        '--worker-id',
        'w2',
        '--log-level',
        'silent',
      ]);
      assert.match(output, /^worker cannot start: .*spool/m);
    });
  });

  it('completes after a restart what was on disk when it was killed', async () => {
    const mesh = await startMesh({ etcd });
    try {
      await mesh.startWorkers(['w1']);
      await mesh.putJob({
        name: 'quick',
        command: noteRun(mesh.oracle, ':'),
        cronExpr: '* * * * * *',
        concurrency: 'allow',
      });
      for (let round = 0; round < 3; round++) {
        const seen = readOracle(mesh.oracle).length;
        await waitFor(() => readOracle(mesh.oracle).length > seen + 1, {
          timeoutMs: 20_000,
          describe: () => 'runs',
        });
        await mesh.workers.get('w1')?.kill();
        mesh.startWorker('w1');
      }
      await mesh.ready(['w1']);
      await mesh.deleteKey(mesh.keys.job('quick'));
      await waitFor(
        async () => (await mesh.list('lock/')).length + (await mesh.list('done/')).length === 0,
        {
          timeoutMs: 30_000,
          describe: () => 'every open fire to be settled',
        },
      );
      const ran = readOracle(mesh.oracle).map(({ runId }) => runId);
      await waitFor(
        async () => {
          const ended = new Set(
            (await mesh.rows()).filter(({ outcome }) => outcome !== undefined).map(({ id }) => id),
          );
          return ran.every((id) => ended.has(id));
        },
        { timeoutMs: 20_000, describe: () => 'every run in history' },
      );
    } finally {
      await mesh.stop();
    }
  });

  it('opens no port, but for metrics when asked to', async () => {
    await withMesh({ etcd }, async (mesh) => {
      const port = await freePort();
      mkdirSync(path.join(mesh.folder, 'w1'), { recursive: true });
      mesh.startWorker('w1', { flags: ['--listen', `127.0.0.1:${port}`] });
      await mesh.ready(['w1']);
      const response = await fetch(`http://127.0.0.1:${port}/metrics`);
      const text = await response.text();
      assert.match(text, /^cronmesh_worker_slots 16$/m);
      assert.match(text, /^cronmesh_worker_event_loop_delay_p99_seconds \d+(\.\d+)?(e-\d+)?$/m);
      assert.equal((await fetch(`http://127.0.0.1:${port}/livez`)).status, 200);
      assert.equal((await fetch(`http://127.0.0.1:${port}/x`)).status, 404);
    });
  });
});

async function registration(mesh: TestMesh, id: string): Promise<WorkerValue | undefined> {
  const found = (await mesh.list('workers/')).find(({ key }) => key === mesh.keys.worker(id));
  return found === undefined ? undefined : decodeValue(workerSchema, found.value);
}
