/**
 * `npm start` as a person lives with it: what it prints, what it refuses, how it stops, and that no
 * process outlives it. Processes are looked for by the data folder in their command lines and
 * environments, and by a mark in the commands of the jobs.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, it } from 'node:test';
import { ApiClient } from '../support/api-client.ts';
import { startEtcd } from '../support/etcd-server.ts';
import { startMongo } from '../support/mongo-server.ts';
import { freePort, waitFor } from '../support/server-process.ts';
import { endAll, noneMentioning, processesMentioning, Supervisor } from '../support/supervisor.ts';

/** Drain, the grace of the runs, and the other parts. */
const stopWithinMs = 30_000;
const sampleCount = 7;

interface Place {
  readonly data: string;
  readonly port: number;
  readonly api: ApiClient;
  /** What names the processes of this test. */
  readonly marks: readonly string[];
  /** A command that runs until it is ended, and shows as this test's. */
  readonly endless: string;
  readonly start: (args?: readonly string[]) => Supervisor;
}

describe('npm start', { concurrency: false }, () => {
  it('prints its block, fires, stops clean, and finds its data again', async () => {
    await inPlace(async ({ data, port, api, marks, endless, start }) => {
      const first = start();
      await first.ready();
      assertBlock(first.stdout, data, port);
      await firesOf(api, 'clock', 2);
      await api.createJob({ name: 'endless', command: endless, cronExpr: '* * * * * *' });
      await api.expect('DELETE', '/api/v1/jobs/tokyo-morning', undefined, { 'If-Match': '*' });
      const inHand = await runOf(api, 'endless');
      const rowsBefore = (await api.rows('outcome=succeeded')).map(({ id }) => id);
      first.signal('SIGINT');
      await assertStopped(first, data, marks);

      const second = start();
      await second.ready();
      assert.match(second.stdout, new RegExp(`${sampleCount} jobs, 2 workers`));
      assert.doesNotMatch(second.stdout, /samples/, 'they are created once');
      const names = await api.jobNames();
      assert.ok(names.includes('endless') && !names.includes('tokyo-morning'), names.join());
      const rows = new Set((await api.rows('outcome=succeeded')).map(({ id }) => id));
      assert.deepEqual(
        rowsBefore.filter((id) => !rows.has(id)),
        [],
        'the rows of the first start are there',
      );
      const ended = await api.row(inHand);
      assert.equal(ended.outcome, 'killed', `what ran at the stop: ${JSON.stringify(ended)}`);
      second.signal('SIGTERM');
      await assertStopped(second, data, marks);
    });
  });

  it('starts a killed worker again, and cleans up after a killed supervisor', async () => {
    await inPlace(async ({ data, api, marks, endless, start }) => {
      const first = start();
      await first.ready();
      const former = await pidOf(api, 'worker-1');
      assert.ok(former !== undefined);
      process.kill(former, 'SIGKILL');
      const isBack = async (): Promise<boolean> => {
        const pid = await pidOf(api, 'worker-1');
        return pid !== undefined && pid !== former;
      };
      await waitFor(isBack, {
        timeoutMs: 30_000,
        describe: () => `worker-1 under a new pid; ${first.stdout}`,
      });
      assert.match(first.stdout, /worker-1 ended \(SIGKILL\); started again in 500 ms/);

      const other = await freePort();
      for (const attempt of [1, 2]) {
        const refused = await endOf(['--port', String(other), '--data', data]);
        assert.equal(refused.code, 1);
        assert.equal(
          refused.stderr,
          `cronmesh cannot start: a mesh already runs on ${data} (process ${first.pid}); stop it first, or give another folder with --data\n`,
          `attempt ${attempt}: the refused one has not made the folder look free`,
        );
      }

      await api.createJob({ name: 'endless', command: endless, cronExpr: '* * * * * *' });
      await runOf(api, 'endless');
      first.signal('SIGKILL');
      await first.ended();
      const left = processesMentioning(marks).map(({ pid }) => pid);
      assert.ok(left.length >= 5, 'etcd, the master, the workers and what they run go on');
      assert.equal((await api.ask('GET', '/readyz')).status, 200);

      const second = start();
      await second.ready();
      assert.match(second.stdout, /ended 4 processes that an earlier mesh left behind/);
      await waitFor(() => !processesMentioning(marks).some(({ pid }) => left.includes(pid)), {
        timeoutMs: 5_000,
        describe: () => 'what the first one had started, and its runs, to be gone',
      });
      await waitFor(async () => (await api.rows('job=endless&outcome=lost')).length > 0, {
        timeoutMs: 40_000,
        describe: () => 'the run that died with its worker to be recorded as lost',
      });

      // Somebody who cannot wait.
      await runOf(api, 'endless');
      second.signal('SIGINT');
      await waitFor(() => second.stdout.includes('stopping'), {
        timeoutMs: 5_000,
        describe: () => `an answer to Ctrl-C; ${second.stdout}`,
      });
      second.signal('SIGINT');
      assert.equal((await second.ended()).code, 130);
      await noneMentioning(marks);
    });
  });

  it('stops as clean while it is still starting', async () => {
    await inPlace(async ({ marks, start }) => {
      for (const line of ['etcd ', 'master ', 'workers ']) {
        const mesh = start();
        await waitFor(() => mesh.stdout.includes(`cronmesh   ${line}`), {
          timeoutMs: 30_000,
          describe: () => `${line}; ${mesh.stdout}${mesh.stderr}`,
        });
        mesh.signal('SIGINT');
        assert.equal((await mesh.ended()).code, 0, mesh.stdout + mesh.stderr);
        assert.equal(mesh.stderr, '');
        await noneMentioning(marks);
      }
    });
  });

  it('refuses in one sentence what cannot work, and leaves nothing behind', async () => {
    const holder = createServer();
    await new Promise<void>((resolve) => {
      holder.listen(0, '127.0.0.1', resolve);
    });
    const taken = portOf(holder.address());
    const closed = await freePort();
    const folder = mkdtempSync(path.join(tmpdir(), 'cronmesh-refused-'));
    const file = path.join(folder, 'file');
    writeFileSync(file, '');
    const cases: readonly (readonly [readonly string[], RegExp])[] = [
      [['--port', String(taken)], /^port \d+ of 127\.0\.0\.1 is taken by another program; /],
      [['--etcd', `http://127.0.0.1:${closed}`], /^no etcd answers at http:\/\/127\.0\.0\.1:\d+$/],
      [['--etcd', 'foo:bar'], /^etcd endpoint: expected .*, got "foo:bar"$/],
      [
        ['--store', `mongodb://me:secret@127.0.0.1:${closed}/x`],
        /^the store does not answer at mongodb:\/\/\*\*\*@127\.0\.0\.1:\d+\/x: .*ECONNREFUSED/,
      ],
      [['--store', 'mysql://x'], /^--store: expected mongodb:\/\/.* or sqlite:FILE, got "mysql/],
      [['--workers', '0'], /^--workers: expected a whole number from 1 to 32, got "0"/],
      [['--port', 'abc'], /^--port: expected a whole number from 1 to 65535, got "abc"/],
      [['--data', ''], /^--data: expected a folder, got ""/],
      [['--data', file], /^the data folder cannot be used: /],
      [['--bogus'], /^Unknown option '--bogus'/],
      [['surplus'], /^Unexpected argument 'surplus'/],
    ];
    try {
      await Promise.all(
        cases.map(async ([args, sentence], index) => {
          const data = path.join(folder, `data-${index}`);
          const port = String(await freePort());
          const began = performance.now();
          const { code, stdout, stderr } = await endOf(['--port', port, '--data', data, ...args]);
          const said = `${args.join(' ')}: ${stdout}${stderr}`;
          assert.equal(code, 1, said);
          assert.equal(stdout, '', said);
          assert.match(stderr, /^cronmesh cannot start: [^\n]+\n$/, said);
          assert.match(stderr.slice('cronmesh cannot start: '.length, -1), sentence, said);
          assert.ok(!stderr.includes('secret'), 'a password is not shown');
          assert.ok(performance.now() - began < 20_000, `${args.join(' ')} took too long`);
          assert.ok(!existsSync(data), `${args.join(' ')} left ${data}`);
        }),
      );
      await noneMentioning([folder]);
    } finally {
      holder.close();
      await endAll([folder]);
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('uses an etcd and a MongoDB of the user, and starts none', async () => {
    const [etcd, mongo] = await Promise.all([startEtcd(), startMongo()]);
    try {
      await inPlace(async ({ data, api, marks, start }) => {
        const store = mongo.databaseUrl('start');
        const mesh = start(['--etcd', etcd.endpoint, '--store', store]);
        await mesh.ready();
        assert.match(mesh.stdout, /0 jobs, 2 workers/);
        assert.ok(mesh.stdout.includes(`--endpoints ${etcd.endpoint} put`), mesh.stdout);
        await api.createJob({ name: 'mine', command: 'echo hi', cronExpr: '* * * * * *' });
        await firesOf(api, 'mine', 2);
        const programs = processesMentioning([data]).map(({ commandLine }) => commandLine);
        assert.deepEqual(
          programs.filter((text) => /^\S*(etcd|mongod) /.test(text)),
          [],
        );
        assert.ok(!existsSync(path.join(data, 'history.db')), 'no embedded store is made');
        mesh.signal('SIGINT');
        await assertStopped(mesh, data, marks);
        assert.ok(await etcd.member().leads(), 'the etcd goes on');
      });
    } finally {
      await Promise.all([etcd.stop(), mongo.stop()]);
    }
  });
});

/** Runs `body` with a folder and a port of its own, and leaves no process and no file behind. */
async function inPlace(body: (place: Place) => Promise<void>): Promise<void> {
  const data = mkdtempSync(path.join(tmpdir(), 'cronmesh-start-'));
  const port = await freePort();
  const mark = `mark-${randomBytes(6).toString('hex')}`;
  const marks = [data, mark];
  const common = ['--port', String(port), '--data', data, '--workers', '2'];
  try {
    await body({
      data,
      port,
      api: new ApiClient(`http://127.0.0.1:${port}`),
      marks,
      endless: `MARK=${mark} sleep 3600 & wait`,
      start: (args = []) => new Supervisor([...common, ...args]),
    });
  } finally {
    await endAll(marks);
    rmSync(data, { recursive: true, force: true });
  }
}

function assertBlock(stdout: string, data: string, port: number): void {
  const block = stdout.slice(stdout.indexOf('\n\n') + 2);
  const lines = [
    `  The mesh is running: ${sampleCount} jobs, 2 workers.`,
    `  Console    http://127.0.0.1:${port}`,
    `  Data       ${data}`,
    '  Stop       Ctrl-C',
  ];
  for (const line of lines) assert.ok(block.split('\n').includes(line), `${line} in\n${stdout}`);
  assert.match(block, new RegExp(`  Add a job  curl -X PUT http://127.0.0.1:${port}/api/v1/jobs/`));
  assert.match(
    block,
    / {7}or {4}ETCDCTL_API=3 etcdctl --endpoints \S+ put \/cron\/jobs\/hello '\{/,
  );
}

/** Resolves once `count` fires of the job have succeeded, each of another tick. */
async function firesOf(api: ApiClient, job: string, count: number): Promise<void> {
  await waitFor(
    async () => {
      const rows = await api.rows(`job=${job}&outcome=succeeded`);
      return new Set(rows.map(({ tick }) => tick)).size >= count;
    },
    { timeoutMs: 20_000, describe: () => `${count} fires of ${job}`, intervalMs: 100 },
  );
}

/** The id of an open run of the job. */
async function runOf(api: ApiClient, job: string): Promise<string> {
  const row = await waitFor(async () => (await api.rows(`job=${job}&outcome=running`))[0], {
    timeoutMs: 30_000,
    describe: () => `a run of ${job}`,
    intervalMs: 100,
  });
  return row.id;
}

async function pidOf(api: ApiClient, worker: string): Promise<number | undefined> {
  return (await api.workers()).find(({ id }) => id === worker)?.pid;
}

async function assertStopped(
  mesh: Supervisor,
  data: string,
  marks: readonly string[],
): Promise<void> {
  const began = performance.now();
  const { code } = await mesh.ended();
  assert.equal(code, 0, mesh.stdout + mesh.stderr);
  assert.equal(mesh.stderr, '');
  assert.ok(mesh.stdout.endsWith(`cronmesh   stopped; data stays in ${data}\n`), mesh.stdout);
  assert.ok(performance.now() - began < stopWithinMs, 'it stops within the grace');
  assert.deepEqual(processesMentioning(marks), [], 'no process is left');
  assert.ok(!existsSync(path.join(data, 'mesh.json')));
}

/** A supervisor that is expected to end by itself. */
async function endOf(
  args: readonly string[],
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const supervisor = new Supervisor(args);
  const { code } = await supervisor.ended();
  return { code, stdout: supervisor.stdout, stderr: supervisor.stderr };
}

function portOf(address: AddressInfo | string | null): number {
  assert.ok(typeof address === 'object' && address !== null);
  return address.port;
}
