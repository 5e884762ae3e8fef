/**
 * The one-machine mesh: brings its parts up in order (etcd, master, workers, sample jobs), keeps
 * them running, and takes them down in the opposite order. start() either ends with everything
 * ready or throws one clear sentence with nothing left behind.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { systemClock, sleep } from '../../shared/clock.ts';
import { CronmeshError, isCronmeshError } from '../../shared/errors.ts';
import { createEtcd } from '../../shared/etcd/create-etcd.ts';
import { openHistory } from '../../shared/history/open-history.ts';
import { createLogger } from '../../shared/log.ts';
import { Child } from './child.ts';
import { etcdProgram } from './etcd-program.ts';
import { endFormer, forgetProcesses, noteProcesses } from './former.ts';
import type { MeshOptions } from './options.ts';
import { freePort, isFree } from './ports.ts';
import { sampleJobs } from './samples.ts';

const preferredEtcdPort = 23_790;
const readyWithinMs = 60_000;
const drainSeconds = 5;
/** Of the same build as this file. */
const builtRoot = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');

export interface MeshReport {
  readonly console: string;
  readonly etcd: string;
  readonly store: string;
  readonly jobs: number;
  readonly workers: number;
}

export class Mesh {
  readonly #options: MeshOptions;
  readonly #say: (line: string) => void;
  /** In order of start. */
  readonly #children: Child[] = [];
  #stopping: Promise<void> | undefined;

  constructor(options: MeshOptions, say: (line: string) => void) {
    this.#options = options;
    this.#say = say;
  }

  async start(signal: AbortSignal): Promise<MeshReport> {
    const options = this.#options;
    const ended = await endFormer(options.data, signal);
    if (ended > 0) this.#say(`ended ${ended} processes that an earlier mesh left behind`);
    if (!(await isFree(options.port))) {
      throw new CronmeshError(
        'address-in-use',
        `port ${options.port} of 127.0.0.1 is taken by another program; choose another with npm start -- --port N`,
      );
    }
    const store = options.store ?? `sqlite:${path.join(options.data, 'history.db')}`;
    if (options.store !== undefined) await checkStore(options.store, signal);
    // What is the user's own is tried before the first file is written.
    if (options.etcd !== undefined) await this.#waitForEtcd(options.etcd, signal);
    makeFolder(path.join(options.data, 'logs'));
    const etcd = options.etcd ?? (await this.#startEtcd());
    if (options.etcd === undefined) await this.#waitForEtcd(etcd, signal);
    const shared = ['--etcd', etcd, '--log-level', 'info'];
    // What the user's environment says of one process is not meant for all of them.
    const env = { CRONMESH_HISTORY: store, CRONMESH_LISTEN: '', CRONMESH_WORKER_ID: '' };
    this.#add('master', ['--listen', `127.0.0.1:${options.port}`, ...shared], env, 8_000);
    const console = `http://127.0.0.1:${options.port}`;
    await this.#until('the master', signal, () => answers(`${console}/readyz`));
    this.#say(`master     ${console}`);
    for (let i = 1; i <= options.workers; i++) {
      const data = path.join(options.data, `worker-${i}`);
      makeFolder(data);
      this.#add(
        `worker-${i}`,
        [
          '--worker-id',
          `worker-${i}`,
          '--data',
          data,
          '--drain-seconds',
          String(drainSeconds),
          ...shared,
        ],
        env,
        (drainSeconds + 20) * 1_000,
      );
    }
    await this.#until('the workers', signal, async () => {
      const page = await getJson(`${console}/api/v1/workers`);
      return Array.isArray(page?.['items']) && page['items'].length >= options.workers;
    });
    this.#say(`workers    ${options.workers}, each schedules every job`);
    if (options.samples) await this.#createSamples(console);
    const page = await getJson(`${console}/api/v1/jobs?limit=1`);
    const jobs = typeof page?.['total'] === 'number' ? page['total'] : 0;
    return { console, etcd, store, jobs, workers: options.workers };
  }

  /** Workers first, so that what they finish is still recorded. */
  stop(): Promise<void> {
    this.#stopping ??= (async () => {
      const workers = this.#children.filter(({ name }) => name.startsWith('worker'));
      await Promise.all(workers.map((child) => child.stop()));
      const others = this.#children.filter((child) => !workers.includes(child)).toReversed();
      for (const child of others) await child.stop();
      this.#forget();
    })();
    return this.#stopping;
  }

  killNow(): void {
    for (const child of this.#children) child.killNow();
    this.#forget();
  }

  logFile(name: string): string {
    return path.join(this.#options.data, 'logs', `${name}.log`);
  }

  async #startEtcd(): Promise<string> {
    const { data } = this.#options;
    const port = await freePort(preferredEtcdPort);
    const peer = await freePort(preferredEtcdPort + 1);
    const url = `http://127.0.0.1:${port}`;
    const peerUrl = `http://127.0.0.1:${peer}`;
    this.#launch(
      'etcd',
      etcdProgram(),
      [
        '--name=cronmesh',
        `--data-dir=${path.join(data, 'etcd')}`,
        `--listen-client-urls=${url}`,
        `--advertise-client-urls=${url}`,
        `--listen-peer-urls=${peerUrl}`,
        `--initial-advertise-peer-urls=${peerUrl}`,
        `--initial-cluster=cronmesh=${peerUrl}`,
        '--auto-compaction-mode=periodic',
        '--auto-compaction-retention=1h',
        '--quota-backend-bytes=2147483648',
      ],
      {},
      5_000,
    );
    return url;
  }

  async #waitForEtcd(endpoints: string, signal: AbortSignal): Promise<void> {
    const logger = createLogger('mesh', 'silent');
    const etcd = createEtcd({
      endpoints: endpoints.split(',').map((text) => text.trim()),
      clock: systemClock,
      random: Math.random,
      logger,
    });
    try {
      const own = this.#options.etcd === undefined;
      const giveUp = systemClock.monotonicMs() + (own ? readyWithinMs : 5_000);
      for (;;) {
        signal.throwIfAborted();
        try {
          const { version } = await etcd.ping({
            timeoutMs: 1_000,
            signal: AbortSignal.timeout(2_000),
          });
          this.#say(`etcd       ${endpoints} (${version}${own ? '' : ', yours'})`);
          return;
        } catch (error) {
          if (isCronmeshError(error, 'config-invalid')) throw error;
          if (systemClock.monotonicMs() > giveUp) {
            throw new CronmeshError(
              'etcd-unavailable',
              own
                ? `etcd did not come up; see ${this.logFile('etcd')}`
                : `no etcd answers at ${endpoints}`,
              { cause: error },
            );
          }
          await sleep(systemClock, 100, signal);
        }
      }
    } finally {
      await etcd.close();
    }
  }

  async #createSamples(console: string): Promise<void> {
    const mark = path.join(this.#options.data, 'samples-created');
    if (existsSync(mark)) return;
    const samples = sampleJobs(this.#options.data);
    for (const job of samples) {
      const response = await fetch(`${console}/api/v1/jobs/${job.name}`, {
        method: 'PUT',
        headers: { 'Content-Type': 'application/json', 'If-None-Match': '*' },
        body: JSON.stringify(job),
      });
      // 412: somebody has a job of that name already.
      if (!response.ok && response.status !== 412) {
        throw new CronmeshError(
          'internal',
          `sample job ${job.name} was refused: ${await response.text()}`,
        );
      }
    }
    writeFileSync(mark, '');
    this.#say(`samples    ${samples.length} jobs created`);
  }

  #add(
    name: string,
    args: readonly string[],
    env: Readonly<Record<string, string>>,
    stopGraceMs: number,
  ): void {
    const main = path.join(builtRoot, name === 'master' ? 'master' : 'worker', 'main.js');
    this.#launch(name, process.execPath, [main, ...args], env, stopGraceMs);
  }

  #launch(
    name: string,
    command: string,
    args: readonly string[],
    env: Readonly<Record<string, string>>,
    stopGraceMs: number,
  ): void {
    const child = new Child({
      name,
      command,
      args,
      env,
      logFile: this.logFile(name),
      stopGraceMs,
      onStart: () => {
        const pids = this.#children.flatMap(({ pid }) => pid ?? []);
        noteProcesses(this.#options.data, pids);
      },
      onDeath: (which, how, againMs) => {
        this.#say(
          `${which} ended (${how}); started again in ${againMs} ms. Its log: ${this.logFile(which)}`,
        );
      },
    });
    this.#children.push(child);
    child.start();
  }

  /** A mesh that started nothing has no say in the folder: another's may run there. */
  #forget(): void {
    if (this.#children.length > 0) forgetProcesses(this.#options.data);
  }

  async #until(
    what: string,
    signal: AbortSignal,
    condition: () => Promise<boolean>,
  ): Promise<void> {
    const giveUp = systemClock.monotonicMs() + readyWithinMs;
    while (!(await condition())) {
      signal.throwIfAborted();
      const dead = this.#children.find((child) => !child.running);
      if (dead !== undefined || systemClock.monotonicMs() > giveUp) {
        const culprit = dead?.name ?? 'master';
        throw new CronmeshError(
          'internal',
          `${dead === undefined ? `${what} did not become ready in ${readyWithinMs / 1_000} s` : `${culprit} ended at its start`}: ${lastLine(this.logFile(culprit))} (whole log: ${this.logFile(culprit)})`,
        );
      }
      await sleep(systemClock, 100, signal);
    }
  }
}

async function checkStore(url: string, signal: AbortSignal): Promise<void> {
  const store = openHistory(url, { clock: systemClock, logger: createLogger('mesh', 'silent') });
  try {
    await store.start();
    await Promise.race([store.ping(), rejection(signal)]);
  } catch (error) {
    signal.throwIfAborted();
    throw new CronmeshError(
      'store-unavailable',
      `the store does not answer at ${url.replace(/\/\/[^@/]*@/, '//***@')}: ${error instanceof Error ? error.message : String(error)}`,
      { cause: error },
    );
  } finally {
    await store.stop();
  }
}

function rejection(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true });
  } catch (error) {
    throw new CronmeshError(
      'config-invalid',
      `the data folder cannot be used: ${error instanceof Error ? error.message : String(error)}`,
      { cause: error },
    );
  }
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(url, { signal: AbortSignal.timeout(2_000) })).ok;
  } catch {
    return false;
  }
}

async function getJson(url: string): Promise<Record<string, unknown> | undefined> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(2_000) });
    const body: unknown = await response.json();
    return typeof body === 'object' && body !== null ? { ...body } : undefined;
  } catch {
    return undefined;
  }
}

function lastLine(file: string): string {
  try {
    return readFileSync(file, 'utf8').trimEnd().split('\n').at(-1) ?? '';
  } catch {
    return '';
  }
}
