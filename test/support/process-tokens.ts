/**
 * Processes that can be told by their command line alone, whatever they do to group, session and
 * environment: everything here is started from a folder of its own, and its path is the token.
 * What is left at stop() is ended, so that a test that fails leaves no bomb behind.
 */
import { chmodSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { listProcesses } from './executor-rig.ts';

export class TokenFolder {
  readonly path = mkdtempSync(join(tmpdir(), 'cronmesh-tree-'));
  /** `<nap> 60` sleeps, and bears the token. */
  readonly nap = join(this.path, 'nap');
  readonly #stopFile = join(this.path, 'stop');

  constructor() {
    symlinkSync('/bin/sleep', this.nap);
  }

  file(name: string): string {
    return join(this.path, name);
  }

  /** A script that must look for `$STOP` before it starts anything. */
  script(name: string, body: string): string {
    const path = this.file(name);
    writeFileSync(path, `#!/bin/sh\nNAP=${this.nap}\nSTOP=${this.#stopFile}\n${body}\n`);
    chmodSync(path, 0o755);
    return path;
  }

  /** Live processes with `word` (and the token) in their command line. */
  find(word = ''): number[] {
    return listProcesses()
      .map(({ pid }) => pid)
      .filter((pid) => {
        const text = readCommandLine(pid);
        return text.includes(this.path) && text.includes(word);
      });
  }

  stop(): void {
    writeFileSync(this.#stopFile, '');
    for (const pid of this.find()) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It has ended by itself.
      }
    }
    rmSync(this.path, { recursive: true, force: true });
  }
}

function readCommandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${String(pid)}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return '';
  }
}
