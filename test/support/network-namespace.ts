/**
 * A network of its own for a worker: a namespace, and one pair of virtual interfaces between it and
 * this machine. Each direction can be cut: packets are dropped without a word, as by a broken switch,
 * and no connection is told. It needs root, and it goes with the test process, whatever its end: the
 * namespace lives by a process that dies with this one.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { ServerProcess, waitFor } from './server-process.ts';

const execute = promisify(execFile);

/** `requests`: what the worker sends is lost; `replies`: what is sent to it. */
export type Direction = 'requests' | 'replies';

let count = 0;

/** Throws when the system does not grant it; the message says what is needed. */
export async function createNetworkNamespace(): Promise<NetworkNamespace> {
  // Addresses of 10/8 by the process, so that test files at the same time do not meet.
  const subnet = `10.${128 + (process.pid % 127)}.${(process.pid >> 7) % 256}`;
  count += 1;
  const holder = new ServerProcess('unshare', ['--net', '--', 'sleep', 'infinity']);
  const namespace = new NetworkNamespace(holder, `${process.pid}-${count}`, subnet, count * 4);
  try {
    await namespace.connect();
    return namespace;
  } catch (error) {
    await namespace.stop();
    throw new Error(`a network namespace cannot be made here (it needs root): ${String(error)}`, {
      cause: error,
    });
  }
}

export class NetworkNamespace {
  /** This machine, as seen from inside. */
  readonly hostAddress: string;
  readonly #holder: ServerProcess;
  readonly #inside: string;
  readonly #outside: string;
  readonly #insideAddress: string;

  constructor(holder: ServerProcess, id: string, subnet: string, first: number) {
    this.#holder = holder;
    this.#outside = `cmo${id}`;
    this.#inside = `cmi${id}`;
    this.hostAddress = `${subnet}.${first + 1}`;
    this.#insideAddress = `${subnet}.${first + 2}`;
  }

  /** What a command is to be prefixed with to run inside. */
  get within(): readonly string[] {
    return ['nsenter', `--target=${String(this.#holder.pid)}`, '--net', '--'];
  }

  async connect(): Promise<void> {
    const pid = String(this.#holder.pid);
    // Until it has left this machine's network, a move would move nothing.
    await waitFor(async () => (await networkOf(pid)) !== (await networkOf('self')), {
      timeoutMs: 5_000,
      describe: () => `a namespace of its own; ${this.#holder.output}`,
    });
    const pair = ['type', 'veth', 'peer', 'name', this.#inside, 'netns', pid];
    await execute('ip', ['link', 'add', this.#outside, ...pair]);
    await execute('ip', ['address', 'add', `${this.hostAddress}/30`, 'dev', this.#outside]);
    await execute('ip', ['link', 'set', this.#outside, 'up']);
    await this.#inner('ip', ['address', 'add', `${this.#insideAddress}/30`, 'dev', this.#inside]);
    await this.#inner('ip', ['link', 'set', this.#inside, 'up']);
    await this.#inner('ip', ['link', 'set', 'lo', 'up']);
  }

  /** From now on nothing passes in these directions. */
  async cut(directions: readonly Direction[]): Promise<void> {
    // A queue that holds nothing drops what is to be sent.
    const drop = ['root', 'pfifo', 'limit', '0'];
    if (directions.includes('replies')) {
      await execute('tc', ['qdisc', 'replace', 'dev', this.#outside, ...drop]);
    }
    if (directions.includes('requests')) {
      await this.#inner('tc', ['qdisc', 'replace', 'dev', this.#inside, ...drop]);
    }
  }

  async join(directions: readonly Direction[]): Promise<void> {
    if (directions.includes('replies')) {
      await execute('tc', ['qdisc', 'delete', 'dev', this.#outside, 'root']);
    }
    if (directions.includes('requests')) {
      await this.#inner('tc', ['qdisc', 'delete', 'dev', this.#inside, 'root']);
    }
  }

  /** The pair goes with the namespace, and that with its last process. */
  async stop(): Promise<void> {
    await this.#holder.kill();
  }

  async #inner(program: string, args: readonly string[]): Promise<void> {
    const [enter = '', ...rest] = [...this.within, program, ...args];
    await execute(enter, rest);
  }
}

async function networkOf(pid: string): Promise<string> {
  const { stdout } = await execute('readlink', [`/proc/${pid}/ns/net`]);
  return stdout.trim();
}
