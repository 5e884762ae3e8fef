/**
 * One life of a guardian process, seen from the worker: its start, the messages both ways, and its
 * end, for whatever reason it comes. It is not restarted here.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { Socket } from 'node:net';
import { CronmeshError } from '../../shared/errors.ts';
import type { Clock } from '../../shared/clock.ts';
import { corkForNow } from '../guardian/cork-for-now.ts';
import {
  cgroupsFlag,
  channelDescriptor,
  decodeFromGuardian,
  encodeMessage,
  FrameReader,
  noSpawnerFlag,
  type FromGuardian,
  type ToGuardian,
} from '../guardian/messages.ts';

const readyLimitMs = 10_000;
const endLimitMs = 2_000;
/** The guardian needs little of its own, and every child's fork copies the tables of what it has. */
const guardianFlags = [
  '--max-semi-space-size=1',
  '--max-old-space-size=64',
  // With NODE_OPTIONS=--inspect its port would be the worker's.
  '--inspect-port=0',
];

export interface GuardianLinkOptions {
  readonly guardianPath: string;
  /** A cgroup for every run. */
  readonly cgroups: boolean;
  readonly spawner: boolean;
  readonly clock: Clock;
  /** Everything it says after `ready`, in order. */
  readonly onMessage: (message: Exclude<FromGuardian, { type: 'ready' }>) => void;
  /** Once, after the last message: the process is gone or as good as. Not called before `ready`. */
  readonly onGone: (how: string) => void;
}

export class GuardianLink {
  readonly #options: GuardianLinkOptions;
  readonly #startedAtMs: number;
  readonly #child: ChildProcess;
  readonly #socket: Socket;
  readonly #exited: Promise<void>;
  readonly #ready: Promise<void>;
  readonly #closed: Promise<void>;
  #resolveReady: () => void = () => undefined;
  #rejectReady: (error: Error) => void = () => undefined;
  #isReady = false;
  #exit: string | undefined;
  #fault: string | undefined;

  constructor(options: GuardianLinkOptions) {
    this.#options = options;
    this.#startedAtMs = options.clock.monotonicMs();
    const args = [...guardianFlags, options.guardianPath];
    if (options.cgroups) args.push(cgroupsFlag);
    if (!options.spawner) args.push(noSpawnerFlag);
    this.#child = spawn(process.execPath, args, {
      // In a session of its own: what ends the worker's whole group must leave it alive.
      detached: true,
      stdio: ['ignore', 'ignore', 'inherit', 'pipe'],
    });
    this.#ready = new Promise<void>((resolve, reject) => {
      this.#resolveReady = resolve;
      this.#rejectReady = reject;
    });
    this.#exited = new Promise<void>((resolve) => {
      this.#child.once('exit', (code, signal) => {
        this.#exit = signal === null ? `exit code ${String(code)}` : `signal ${signal}`;
        resolve();
      });
      this.#child.once('error', (error) => {
        this.#exit = error.message;
        resolve();
      });
    });
    const socket = this.#child.stdio[channelDescriptor];
    if (!(socket instanceof Socket)) {
      throw new CronmeshError('internal', 'the guardian could not be given its channel');
    }
    this.#socket = socket;
    const frames = new FrameReader((body, isOwn) => {
      this.#onMessage(decodeFromGuardian(body, isOwn));
    });
    socket.on('data', (chunk: Buffer) => {
      try {
        frames.push(chunk);
      } catch (error) {
        this.#fault = `its words make no sense: ${String(error)}`;
        socket.destroy();
      }
    });
    // The close that follows says all there is to say.
    socket.on('error', () => undefined);
    this.#closed = new Promise<void>((resolve) => {
      socket.once('close', () => resolve());
    }).then(() => this.#onClose());
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Rejects when the guardian does not come up, or lives on another clock. */
  async ready(): Promise<void> {
    const { clock } = this.#options;
    const cancel = clock.after(readyLimitMs, () => {
      this.#rejectReady(
        new CronmeshError(
          'internal',
          `the guardian was not ready after ${String(readyLimitMs / 1000)} s`,
        ),
      );
    });
    try {
      await this.#ready;
      this.#isReady = true;
    } catch (error) {
      this.#child.kill('SIGKILL');
      await this.#exited;
      throw error;
    } finally {
      cancel();
    }
  }

  send(message: ToGuardian): void {
    if (!this.#socket.writable) return;
    corkForNow(this.#socket);
    this.#socket.write(encodeMessage(message));
  }

  /** For a guardian that no longer answers; onGone follows. */
  kill(): void {
    this.#child.kill('SIGKILL');
  }

  /** Lets it go: it kills whatever still runs and exits. Resolves when the process is gone. */
  async end(): Promise<void> {
    this.#socket.end();
    const cancel = this.#options.clock.after(endLimitMs, () => this.#child.kill('SIGKILL'));
    await this.#exited;
    cancel();
    this.#socket.destroy();
    await this.#closed;
  }

  #onMessage(message: FromGuardian): void {
    if (message.type !== 'ready') {
      this.#options.onMessage(message);
      return;
    }
    const nowMs = this.#options.clock.monotonicMs();
    // A deadline means nothing to a process that counts from another origin.
    if (message.monotonicMs < this.#startedAtMs || message.monotonicMs > nowMs) {
      this.#rejectReady(
        new CronmeshError('internal', "the guardian's monotonic clock is not the worker's"),
      );
      return;
    }
    this.#resolveReady();
  }

  async #onClose(): Promise<void> {
    // Without its channel it ends by itself; a stopped one would not.
    this.#child.kill('SIGKILL');
    await this.#exited;
    const how = this.#fault ?? this.#exit ?? 'unknown';
    if (this.#isReady) this.#options.onGone(how);
    else this.#rejectReady(new CronmeshError('internal', `the guardian did not start: ${how}`));
  }
}
