/**
 * Real pipes for the runs' output. What Node gives a child as a pipe is a socket, and a script that
 * says `echo ... > /dev/stderr` fails on it (ENXIO). Node cannot make pipes, but it can open FIFOs:
 * they are made in batches by mkfifo(1), unlinked at once, and from then on reached through their
 * descriptors only. A pipe whose last writer is gone and which was read to its end is used again.
 * Where that is not to be had (no mkfifo, no /proc, a full disk) the runs get sockets.
 */
import { execFileSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, rmSync } from 'node:fs';
import { Socket, type ConnectOpts, type SocketConstructorOpts } from 'node:net';
import { join } from 'node:path';

const batchSize = 64;
const readBytes = 64 * 1024;

export interface OutputPipe {
  /** A descriptor of this process that leads to it, for whoever opens the writing end by itself. */
  readonly descriptor: number;
  /** The writing end, for a child; close it once the child has it, or the pipe never ends. */
  openWriter(): number;
  /**
   * Once, and only when a writing end was opened: it would wait for its first writer for ever.
   * `onChunk` gets what is read, valid until it returns.
   */
  read(onChunk: (chunk: Buffer) => void): Socket;
  /** In place of read(): nobody has written to it. */
  giveBack(): void;
}

export interface PipePoolOptions {
  /** Where FIFOs may be made; they are there for a moment only. */
  readonly folder: string;
  readonly onTrouble: (text: string) => void;
}

export class PipePool {
  readonly #options: PipePoolOptions;
  #isInTrouble = false;
  /** Each keeps one unlinked FIFO alive; nothing is ever read from it. */
  readonly #keepers: number[] = [];
  /** All readers read into this one: what nobody keeps leaves nothing to collect. */
  readonly #buffer = Buffer.allocUnsafeSlow(readBytes);

  constructor(options: PipePoolOptions) {
    this.#options = options;
  }

  /** Makes pipes ahead of need. False when there cannot be any, which is said once. */
  fill(): boolean {
    try {
      this.#makeBatch();
      this.#isInTrouble = false;
      return true;
    } catch (error) {
      if (!this.#isInTrouble) {
        const why = error instanceof Error ? error.message : String(error);
        this.#options.onTrouble(
          `runs cannot open /dev/stdout, no pipes were made for them: ${why}`,
        );
      }
      this.#isInTrouble = true;
      return false;
    }
  }

  /** Undefined when there is no pipe to be had; throws when the system has no descriptor left. */
  take(): OutputPipe | undefined {
    if (this.#keepers.length === 0) this.fill();
    const keeper = this.#keepers.pop();
    if (keeper === undefined) return undefined;
    // Opened anew, so that the reader's end and a writer's end are of this use only.
    const path = `/proc/self/fd/${String(keeper)}`;
    let readDescriptor: number;
    try {
      readDescriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    } catch (error) {
      closeSync(keeper);
      throw error;
    }
    return {
      descriptor: keeper,
      openWriter: () => openSync(path, constants.O_WRONLY),
      read: (onChunk) => this.#createReader(readDescriptor, keeper, onChunk),
      giveBack: () => {
        closeSync(readDescriptor);
        this.#keepers.push(keeper);
      },
    };
  }

  /** One that is not in use, to try whether another process can reach it. */
  get sample(): number | undefined {
    return this.#keepers[0];
  }

  #makeBatch(): void {
    const folder = mkdtempSync(join(this.#options.folder, 'cronmesh-pipes-'));
    try {
      const paths = Array.from({ length: batchSize }, (_, index) => join(folder, String(index)));
      execFileSync('mkfifo', ['-m', '600', ...paths], { stdio: 'ignore', timeout: 5_000 });
      for (const path of paths) {
        this.#keepers.push(openSync(path, constants.O_RDONLY | constants.O_NONBLOCK));
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  #createReader(descriptor: number, keeper: number, onChunk: (chunk: Buffer) => void): Socket {
    const options: SocketConstructorOpts & ConnectOpts = {
      fd: descriptor,
      readable: true,
      writable: false,
      onread: {
        buffer: this.#buffer,
        callback: (bytes) => {
          onChunk(this.#buffer.subarray(0, bytes));
          return true;
        },
      },
    };
    const reader = new Socket(options);
    reader.once('close', () => {
      // One that did not end may still be written to, by a process that nobody listens to.
      if (reader.readableEnded) this.#keepers.push(keeper);
      else closeSync(keeper);
    });
    return reader;
  }
}
