/**
 * Only one process may own a spool directory. Ownership is an abstract unix socket named after the
 * directory's inode: the kernel grants it to one process and takes it back when that process dies,
 * however it dies, so nothing stale can be left. `owner.json` beside the segments says who it is.
 * Sockets do not reach across network namespaces or machines; an owner file from elsewhere is
 * watched for a while, and respected when its owner keeps refreshing it.
 */
import { createServer, type Server } from 'node:net';
import { readFile, readlink, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { sleep, type Clock } from '../../shared/clock.ts';
import { CronmeshError } from '../../shared/errors.ts';
import { errnoOf } from './disk.ts';

const ownerSchema = z.object({
  pid: z.number(),
  host: z.string(),
  since: z.number(),
  /** Where its sockets are seen: boot and network namespace. */
  realm: z.string(),
  machine: z.string(),
});
type OwnerFile = z.infer<typeof ownerSchema>;

/** How often refresh() must be called by an owner, at the most. */
export const ownerRefreshMs = 2_000;
const watchForeignMs = 3 * ownerRefreshMs;

export class Owner {
  readonly #path: string;
  readonly #directory: string;
  readonly #clock: Clock;
  #server: Server | undefined;

  constructor(directory: string, clock: Clock) {
    this.#directory = directory;
    this.#path = join(directory, 'owner.json');
    this.#clock = clock;
  }

  /** Throws `config-invalid`, naming the process that holds the directory. */
  async take(signal: AbortSignal): Promise<void> {
    const { dev, ino } = await stat(this.#directory, { bigint: true });
    this.#server = await listenAbstract(`cronmesh-spool-${String(dev)}-${String(ino)}`);
    if (this.#server === undefined) throw await this.#refusal();
    try {
      const self = await describeSelf(this.#clock);
      await this.#yieldToForeigner(self, signal);
      // A disk that cannot be written is no reason to refuse: what is on it can still be drained.
      await writeFile(this.#path, JSON.stringify(self)).catch(() => undefined);
    } catch (error) {
      await this.#close();
      throw error;
    }
  }

  /** Shows owners elsewhere that this one is alive. */
  async refresh(): Promise<void> {
    const now = new Date(this.#clock.wallMs());
    await utimes(this.#path, now, now).catch(() => undefined);
  }

  async release(): Promise<void> {
    if (this.#server === undefined) return;
    await rm(this.#path, { force: true }).catch(() => undefined);
    await this.#close();
  }

  async #yieldToForeigner(self: OwnerFile, signal: AbortSignal): Promise<void> {
    const owner = await this.#read();
    if (owner === undefined || owner.realm === self.realm) return;
    const rebooted = owner.machine !== '' && owner.machine === self.machine;
    if (rebooted && bootOf(owner) !== bootOf(self)) return;
    const before = await this.#modifiedMs();
    const until = this.#clock.monotonicMs() + watchForeignMs;
    while (this.#clock.monotonicMs() < until) {
      await sleep(this.#clock, watchForeignMs / 12, signal);
      if ((await this.#modifiedMs()) !== before) throw await this.#refusal();
    }
  }

  async #refusal(): Promise<CronmeshError> {
    const owner = await this.#read();
    const who =
      owner === undefined
        ? 'another process'
        : `process ${String(owner.pid)} on ${owner.host} (since ${new Date(owner.since).toISOString()})`;
    return new CronmeshError(
      'config-invalid',
      `the spool directory ${this.#directory} is in use by ${who}; ` +
        'every worker needs a directory of its own',
    );
  }

  async #read(): Promise<OwnerFile | undefined> {
    try {
      return ownerSchema.parse(JSON.parse(await readFile(this.#path, 'utf8')));
    } catch {
      return undefined;
    }
  }

  async #modifiedMs(): Promise<number | undefined> {
    try {
      return (await stat(this.#path)).mtimeMs;
    } catch {
      return undefined;
    }
  }

  async #close(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return;
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
    });
  }
}

/** Undefined when somebody else listens there. */
function listenAbstract(name: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', (error) => {
      if (errnoOf(error) === 'EADDRINUSE') resolve(undefined);
      else reject(error);
    });
    server.listen(`\0${name}`, () => {
      server.unref();
      resolve(server);
    });
  });
}

async function describeSelf(clock: Clock): Promise<OwnerFile> {
  const [boot, network, machine] = await Promise.all([
    readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => ''),
    readlink('/proc/self/ns/net').catch(() => ''),
    readFile('/etc/machine-id', 'utf8').catch(() => ''),
  ]);
  return {
    pid: process.pid,
    host: hostname(),
    since: clock.wallMs(),
    realm: `${boot.trim()} ${network}`,
    machine: machine.trim(),
  };
}

function bootOf(owner: OwnerFile): string {
  return owner.realm.split(' ')[0] ?? '';
}
