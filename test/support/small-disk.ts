/**
 * A real small disk for a test: a tmpfs that can be filled to the last byte and emptied again. It
 * needs root; stop() unmounts it whatever still uses it.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync, appendFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

const execute = promisify(execFile);

/** `size` as mount takes it, such as `32m`. Throws where none can be mounted. */
export async function mountSmallDisk(size: string): Promise<SmallDisk> {
  const folder = mkdtempSync(path.join(tmpdir(), 'cronmesh-disk-'));
  try {
    await execute('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', folder]);
  } catch (error) {
    rmSync(folder, { recursive: true });
    throw new Error(`no small disk can be mounted here (it needs root): ${String(error)}`, {
      cause: error,
    });
  }
  return new SmallDisk(folder);
}

export class SmallDisk {
  readonly folder: string;
  readonly #filler: string;

  constructor(folder: string) {
    this.folder = folder;
    this.#filler = path.join(folder, 'filler');
  }

  /** Until not one more byte fits. */
  fill(): void {
    for (const size of [1024 * 1024, 4096, 1]) {
      const piece = Buffer.alloc(size);
      try {
        for (;;) appendFileSync(this.#filler, piece);
      } catch (error) {
        if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error;
      }
    }
  }

  /** What fill() took is free again. */
  empty(): void {
    writeFileSync(this.#filler, '');
    rmSync(this.#filler);
  }

  async stop(): Promise<void> {
    await execute('umount', ['--lazy', this.folder]);
    rmSync(this.folder, { recursive: true, force: true });
  }
}
