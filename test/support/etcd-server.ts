/**
 * A real etcd for tests: one member or a cluster of three on free ports of 127.0.0.1, data in a
 * temporary folder, no life beyond the test process. The faults that tests need are on a member:
 * kill(), freeze(), thaw(), restart() (same ports, same data). `withPrefix()` gives every test
 * keys of its own. keep() leaves folder and logs behind, for a test that failed.
 */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findProgram } from './programs.ts';
import { freePort, ServerProcess, waitFor } from './server-process.ts';

const startAttempts = 3;
const readyTimeoutMs = 30_000;

export interface TlsFiles {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

export interface StartEtcdOptions {
  readonly members?: 1 | 3;
  /** Where the data go; default a new folder under the system's temporary one. */
  readonly dataDir?: string;
  /** More flags for every member. */
  readonly flags?: readonly string[];
  /** More addresses of this machine on which every member serves clients, on the same port. */
  readonly clientHosts?: readonly string[];
  /** Serve clients over TLS and ask them for a certificate of the same CA. */
  readonly tls?: TlsFiles;
}

/** Starts etcd and resolves once every member answers as healthy. */
export async function startEtcd(options: StartEtcdOptions = {}): Promise<TestEtcd> {
  const ownFolder = options.dataDir === undefined;
  const folder = options.dataDir ?? (await mkdtemp(join(tmpdir(), 'cronmesh-etcd-')));
  for (let attempt = 1; ; attempt += 1) {
    const etcd = new TestEtcd(folder, ownFolder, await planMembers(folder, options));
    try {
      await etcd.start();
      return etcd;
    } catch (error) {
      const output = etcd.output;
      await etcd.kill();
      // Another process took a port between the asking and the binding.
      if (attempt < startAttempts && output.includes('address already in use')) continue;
      if (ownFolder) await rm(folder, { recursive: true, force: true });
      throw error;
    }
  }
}

/** A key prefix that no other caller has, such as `/jobs-1f0c9a2b`; no slash at its end. */
export function withPrefix(label = 'test'): string {
  return `/${label.replaceAll(/[^a-zA-Z0-9]+/g, '-')}-${randomBytes(4).toString('hex')}`;
}

export class TestEtcd {
  /** The folder that holds the data, and the logs when they are kept. */
  readonly folder: string;
  readonly members: readonly EtcdMember[];
  readonly #ownFolder: boolean;
  #kept = false;

  constructor(folder: string, ownFolder: boolean, members: readonly EtcdMember[]) {
    this.folder = folder;
    this.#ownFolder = ownFolder;
    this.members = members;
  }

  /** Client URLs, one a member. */
  get endpoints(): string[] {
    return this.members.map((member) => member.endpoint);
  }

  /** The first member's client URL. */
  get endpoint(): string {
    return this.member(0).endpoint;
  }

  /** What the members wrote (the end of it). */
  get output(): string {
    return this.members.map((member) => member.output).join('\n');
  }

  member(index = 0): EtcdMember {
    const member = this.members[index];
    if (member === undefined) throw new Error(`there is no member ${String(index)}`);
    return member;
  }

  /** The index of the member that leads now, as the members themselves say. */
  async leader(): Promise<number> {
    return waitFor(
      async () => {
        for (const [index, member] of this.members.entries()) {
          if (await member.leads()) return { index };
        }
        return undefined;
      },
      { timeoutMs: readyTimeoutMs, describe: () => `a leader; ${this.output.slice(-2000)}` },
    ).then(({ index }) => index);
  }

  /** Starts the members that do not run, and waits until all are healthy. */
  async start(): Promise<void> {
    for (const member of this.members) member.launch();
    await Promise.all(this.members.map((member) => member.healthy()));
  }

  /** SIGKILL to every member; the data stay. */
  async kill(): Promise<void> {
    await Promise.all(this.members.map((member) => member.kill()));
  }

  /** Leaves the folder, and a log a member in it, behind when it stops. */
  keep(): void {
    this.#kept = true;
  }

  /** Ends it for good; removes its folder unless keep() was called or the caller named it. */
  async stop(): Promise<void> {
    // A clean shutdown has nothing to save: the data go with it.
    await this.kill();
    if (this.#kept) {
      for (const member of this.members) {
        await writeFile(join(this.folder, `${member.name}.log`), member.output);
      }
    } else if (this.#ownFolder) {
      await rm(this.folder, { recursive: true, force: true });
    }
  }
}

export class EtcdMember {
  readonly name: string;
  /** The URL that clients use. */
  readonly endpoint: string;
  readonly clientPort: number;
  readonly #metricsUrl: string;
  /** Where its data are; for backups. */
  readonly dataDir: string;
  readonly args: readonly string[];
  #process: ServerProcess | undefined;
  #earlierOutput = '';

  constructor(plan: {
    readonly name: string;
    readonly endpoint: string;
    readonly clientPort: number;
    readonly metricsUrl: string;
    readonly dataDir: string;
    readonly args: readonly string[];
  }) {
    this.name = plan.name;
    this.endpoint = plan.endpoint;
    this.clientPort = plan.clientPort;
    this.#metricsUrl = plan.metricsUrl;
    this.dataDir = plan.dataDir;
    this.args = plan.args;
  }

  get pid(): number {
    return this.#started().pid;
  }

  get output(): string {
    return this.#earlierOutput + (this.#process?.output ?? '');
  }

  /** Spawns it when it is not running; healthy() tells when it serves. */
  launch(): void {
    if (this.#process?.running === true) return;
    this.#earlierOutput = this.output.slice(-32 * 1024);
    this.#process = new ServerProcess(findProgram('etcd'), this.args);
  }

  /** SIGKILL, and waits until it is gone. */
  async kill(): Promise<void> {
    await this.#process?.kill();
  }

  /** SIGSTOP: its connections stay open and nothing answers. */
  freeze(): void {
    this.#started().freeze();
  }

  /** SIGCONT. */
  thaw(): void {
    this.#started().thaw();
  }

  /** Ends it whatever its state, starts it on the same ports and data, waits until healthy. */
  async restart(): Promise<void> {
    await this.kill();
    this.launch();
    await this.healthy();
  }

  /** Starts it anew on the same ports with no data, as after a restore of an older state. */
  async wipe(): Promise<void> {
    await this.kill();
    await rm(this.dataDir, { recursive: true, force: true });
    this.launch();
    await this.healthy();
  }

  /** Ends it in good order (SIGTERM); restart() brings it back. */
  async stop(): Promise<void> {
    await this.#process?.stop();
  }

  /** Resolves when it answers `/health` with true, which takes a quorum. */
  async healthy(): Promise<void> {
    const server = this.#started();
    await waitFor(
      async () => {
        if (!server.running) throw new Error(`etcd ended:\n${server.output.slice(-4000)}`);
        const health = await fetchText(`${this.#metricsUrl}/health`);
        return health?.includes('"true"') === true;
      },
      {
        timeoutMs: readyTimeoutMs,
        describe: () => `etcd healthy; its output ends with:\n${server.output.slice(-4000)}`,
      },
    );
  }

  /** Forgets every revision before `revision`: a watch that is further behind is told so. */
  async compact(revision: number): Promise<void> {
    const response = await fetch(`${this.endpoint}/v3/kv/compaction`, {
      method: 'POST',
      body: JSON.stringify({ revision: String(revision), physical: true }),
      signal: AbortSignal.timeout(5_000),
    });
    if (!response.ok) throw new Error(`etcd did not compact: ${await response.text()}`);
  }

  async leads(): Promise<boolean> {
    if (this.#process?.running !== true) return false;
    const metrics = await fetchText(`${this.#metricsUrl}/metrics`);
    return metrics !== undefined && /^etcd_server_is_leader 1$/m.test(metrics);
  }

  #started(): ServerProcess {
    if (this.#process === undefined) throw new Error(`etcd ${this.name} was never started`);
    return this.#process;
  }
}

async function planMembers(
  folder: string,
  options: StartEtcdOptions,
): Promise<readonly EtcdMember[]> {
  const plans = await Promise.all(
    Array.from({ length: options.members ?? 1 }, async (_, index) => ({
      name: `m${String(index)}`,
      clientPort: await freePort(),
      peerPort: await freePort(),
      metricsPort: await freePort(),
    })),
  );
  const peerUrl = (port: number): string => `http://127.0.0.1:${String(port)}`;
  const scheme = options.tls === undefined ? 'http' : 'https';
  const cluster = plans.map((plan) => `${plan.name}=${peerUrl(plan.peerPort)}`).join(',');
  const supported = await supportedFlags();
  return Promise.all(
    plans.map(async (plan) => {
      const dataDir = join(folder, plan.name);
      await mkdir(dataDir, { recursive: true, mode: 0o700 });
      const endpoint = `${scheme}://127.0.0.1:${String(plan.clientPort)}`;
      const metricsUrl = peerUrl(plan.metricsPort);
      const args = [
        ['--name', plan.name],
        ['--data-dir', dataDir],
        ['--listen-client-urls', listenUrls(endpoint, options.clientHosts)],
        ['--advertise-client-urls', endpoint],
        ['--listen-peer-urls', peerUrl(plan.peerPort)],
        ['--initial-advertise-peer-urls', peerUrl(plan.peerPort)],
        ['--listen-metrics-urls', metricsUrl],
        ['--initial-cluster', cluster],
        ['--initial-cluster-token', folder],
        ['--logger', 'zap'],
        supported.includes('--unsafe-no-fsync') ? ['--unsafe-no-fsync'] : [],
        options.tls === undefined ? [] : tlsFlags(options.tls),
        options.flags ?? [],
      ].flat();
      return new EtcdMember({ ...plan, endpoint, metricsUrl, dataDir, args });
    }),
  );
}

function listenUrls(endpoint: string, moreHosts: readonly string[] = []): string {
  return [endpoint, ...moreHosts.map((host) => endpoint.replace('127.0.0.1', host))].join(',');
}

function tlsFlags(tls: TlsFiles): readonly string[] {
  const files = ['--cert-file', tls.cert, '--key-file', tls.key, '--trusted-ca-file', tls.ca];
  return [...files, '--client-cert-auth'];
}

let helpText: Promise<string> | undefined;

function supportedFlags(): Promise<string> {
  helpText ??= promisify(execFile)(findProgram('etcd'), ['--help']).then(
    ({ stdout, stderr }) => stdout + stderr,
  );
  return helpText;
}

async function fetchText(url: string): Promise<string | undefined> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(1000) });
    return await response.text();
  } catch {
    // Not listening yet, or frozen: asked again.
    return undefined;
  }
}
