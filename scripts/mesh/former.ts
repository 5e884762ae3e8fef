/**
 * Who runs on a data folder: `mesh.json` names the supervisor and its processes. A second supervisor
 * is refused; processes that a killed one left behind are ended before a new start, after making sure
 * by their command line that the pids are still theirs.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { CronmeshError } from '../../shared/errors.ts';

const schema = z.object({ supervisor: z.int(), children: z.array(z.int()) });

export function claimData(data: string): void {
  const former = read(data);
  if (former === undefined) return;
  if (former.supervisor !== process.pid && commandLine(former.supervisor).includes('mesh/main')) {
    throw new CronmeshError(
      'conflict',
      `a mesh already runs on ${data} (process ${former.supervisor}); stop it first, or give another folder with --data`,
    );
  }
  for (const pid of former.children) {
    if (commandLine(pid).includes(data)) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It ended by itself in between.
      }
    }
  }
}

export function noteProcesses(data: string, children: readonly number[]): void {
  writeFileSync(fileOf(data), `${JSON.stringify({ supervisor: process.pid, children })}\n`);
}

export function forgetProcesses(data: string): void {
  rmSync(fileOf(data), { force: true });
}

function read(data: string): z.output<typeof schema> | undefined {
  try {
    return schema.parse(JSON.parse(readFileSync(fileOf(data), 'utf8')));
  } catch {
    return undefined;
  }
}

/** Empty when there is no such process (or no /proc to ask). */
function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return '';
  }
}

function fileOf(data: string): string {
  return path.join(data, 'mesh.json');
}
