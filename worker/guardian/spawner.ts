/**
 * The guardian's side of the spawner (spawner-program.ts): orders to it, and its words about each run
 * in their order: started, then exited; or failed, or late, and nothing after that counts. It is used
 * as soon as it is there; where it cannot be (no perl, no pipes to be reached) `isReady` stays false.
 * It is part of the guardian: when it goes after it was ready, `onGone` must end both.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { Socket } from 'node:net';
import { constants } from 'node:os';
import type { Clock } from '../../shared/clock.ts';
import { corkForNow } from './cork-for-now.ts';
import { spawnerProgram } from './spawner-program.ts';

const perl = '/usr/bin/perl';
const channelDescriptor = 3;
const frameBytes = 24;
/** Of an order: more is left to Node, which knows what the system says to it. */
const maxOrderBytes = 64 * 1024;
const [ready, pong, started, failed, late, exited] = [1, 2, 3, 4, 5, 6];

export interface SpawnOrder {
  readonly shell: string;
  readonly command: string;
  readonly workingDirectory: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Descriptors of this process that each lead to a pipe. */
  readonly stdout: number;
  readonly stderr: number;
  /** Monotonic ms; looked at right before the exec. */
  readonly beforeMs: number;
}

export interface SpawnListener {
  /** `at` is monotonic ms. Only the exec itself can still go wrong. */
  onStarted(pid: number, at: number): void;
  /** `code` as Node says it, for instance ENOENT. It may come after onStarted. */
  onFailed(code: string): void;
  onLate(): void;
  onExit(code: number | null, signal: string | null): void;
}

export interface SpawnerOptions {
  readonly clock: Clock;
  /** A descriptor of this process that leads to a pipe, to try whether they can be reached. */
  readonly probe: number;
  readonly onPong: () => void;
  readonly onGone: (how: string) => void;
}

export class Spawner {
  readonly #options: SpawnerOptions;
  readonly #child: ChildProcess;
  readonly #channel: Socket | undefined;
  readonly #startedAtMs: number;
  readonly #listeners = new Map<number, SpawnListener>();
  #partial: Buffer = Buffer.alloc(0);
  #nextId = 1;
  #isReady = false;
  #isEnded = false;

  constructor(options: SpawnerOptions) {
    this.#options = options;
    this.#startedAtMs = options.clock.monotonicMs();
    const args = ['-e', spawnerProgram, String(process.pid), String(options.probe)];
    this.#child = spawn(perl, args, { env: {}, stdio: ['ignore', 'ignore', 'inherit', 'pipe'] });
    // Without a perl there is no socket either.
    this.#child.on('error', () => undefined);
    this.#child.once('exit', (code, signal) => {
      this.#onGone(signal === null ? `exit code ${String(code)}` : `signal ${signal}`);
    });
    const channel = this.#child.stdio[channelDescriptor];
    if (!(channel instanceof Socket)) return;
    this.#channel = channel;
    channel.on('data', (chunk: Buffer) => this.#onData(chunk));
    channel.on('error', () => undefined);
    channel.on('close', () => this.#onGone('its channel was closed'));
  }

  get isReady(): boolean {
    return this.#isReady;
  }

  /** False when the order is not one for it; nothing was done then. */
  spawn(order: SpawnOrder, listener: SpawnListener): boolean {
    const channel = this.#channel;
    if (!this.#isReady || channel === undefined) return false;
    const id = this.#nextId;
    const bytes = encodeOrder(id, order);
    if (bytes === undefined) return false;
    this.#nextId = (id + 1) % 2 ** 32;
    this.#listeners.set(id, listener);
    corkForNow(channel);
    channel.write(bytes);
    return true;
  }

  ping(): void {
    this.#channel?.write(Buffer.alloc(4));
  }

  /** Whoever has not yet told that it starts does not start any more. */
  end(): void {
    this.#isEnded = true;
    this.#isReady = false;
    this.#channel?.destroy();
  }

  #onGone(how: string): void {
    if (this.#isEnded) return;
    const wasReady = this.#isReady;
    this.end();
    if (wasReady) this.#options.onGone(how);
  }

  #onData(chunk: Buffer): void {
    const data = this.#partial.length === 0 ? chunk : Buffer.concat([this.#partial, chunk]);
    const end = data.length - (data.length % frameBytes);
    this.#partial = data.subarray(end);
    for (let at = 0; at < end && !this.#isEnded; at += frameBytes) this.#onFrame(data, at);
  }

  #onFrame(data: Buffer, at: number): void {
    const type = data.readUInt32LE(at);
    if (type === ready) {
      this.#onReady(data.readDoubleLE(at + 16));
      return;
    }
    if (type === pong) {
      this.#options.onPong();
      return;
    }
    const id = data.readUInt32LE(at + 4);
    const listener = this.#listeners.get(id);
    const first = data.readUInt32LE(at + 8);
    switch (type) {
      case started:
        listener?.onStarted(first, data.readDoubleLE(at + 16));
        break;
      case failed:
        this.#listeners.delete(id);
        listener?.onFailed(nameOf(constants.errno, first) ?? `errno ${first}`);
        break;
      case late:
        this.#listeners.delete(id);
        listener?.onLate();
        break;
      case exited: {
        this.#listeners.delete(id);
        const signal = data.readUInt32LE(at + 12);
        if (signal === 0) listener?.onExit(first, null);
        else listener?.onExit(null, nameOf(constants.signals, signal) ?? `SIG${signal}`);
        break;
      }
      default:
        throw new Error(`unknown word of the spawner: ${type}`);
    }
  }

  #onReady(monotonicMs: number): void {
    // Its looks at the clock mean nothing if it counts from another origin.
    const nowMs = this.#options.clock.monotonicMs();
    this.#isReady = monotonicMs >= this.#startedAtMs && monotonicMs <= nowMs;
    if (!this.#isReady) this.end();
  }
}

/** Undefined when it is too long, or not to be said in strings that end with a zero byte. */
function encodeOrder(id: number, order: SpawnOrder): Buffer | undefined {
  const { shell, command, workingDirectory, environment } = order;
  // Names without a slash are looked for along a path: whose, is Node's affair.
  if (!shell.startsWith('/')) return undefined;
  const texts = [shell, workingDirectory, command, ...Object.entries(environment).flat()];
  if (texts.some((text) => text.includes('\0'))) return undefined;
  const lengths = texts.map((text) => Buffer.byteLength(text));
  const total = 24 + lengths.reduce((sum, length) => sum + 4 + length, 0);
  if (total > maxOrderBytes) return undefined;
  const bytes = Buffer.allocUnsafe(total);
  bytes.writeUInt32LE(total - 4, 0);
  bytes.writeUInt32LE(id, 4);
  bytes.writeDoubleLE(order.beforeMs, 8);
  bytes.writeUInt32LE(order.stdout, 16);
  bytes.writeUInt32LE(order.stderr, 20);
  let at = 24;
  for (const [index, text] of texts.entries()) {
    at = bytes.writeUInt32LE(lengths[index] ?? 0, at);
    at += bytes.write(text, at);
  }
  return bytes;
}

function nameOf(names: Readonly<Record<string, number>>, value: number): string | undefined {
  return Object.keys(names).find((name) => names[name] === value);
}
