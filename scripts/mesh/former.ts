/**
 * Who runs on a data folder: `mesh.json` names the supervisor and its processes, each by its pid and
 * the instant it started, so that a pid given to another program since is never taken for ours. A
 * second supervisor is refused; processes that a killed one left behind are ended before a new start.
 */
import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { sleep, systemClock } from '../../shared/clock.ts';
import { CronmeshError } from '../../shared/errors.ts';

const processSchema = z.object({ pid: z.int().positive(), born: z.string().min(1) });
const schema = z.object({ supervisor: processSchema, children: z.array(processSchema) });

const goneWithinMs = 10_000;

/**
 * Ends what a killed supervisor left behind on this folder, and resolves once it is gone, with how
 * many processes that were. Throws `conflict` when a supervisor is alive on it.
 */
export async function endFormer(data: string, signal: AbortSignal): Promise<number> {
  const former = read(data);
  if (former === undefined) return 0;
  if (lives(former.supervisor)) {
    throw new CronmeshError(
      'conflict',
      `a mesh already runs on ${data} (process ${former.supervisor.pid}); stop it first, or give another folder with --data`,
    );
  }
  const left = former.children.filter(lives);
  for (const { pid } of left) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It ended by itself in between, or is not ours to end; the wait below tells.
    }
  }
  const giveUp = systemClock.monotonicMs() + goneWithinMs;
  for (let rest = left; rest.length > 0; rest = rest.filter(lives)) {
    if (systemClock.monotonicMs() > giveUp) {
      throw new CronmeshError(
        'conflict',
        `processes of an earlier mesh on ${data} cannot be ended: ${rest.map(({ pid }) => pid).join(', ')}`,
      );
    }
    await sleep(systemClock, 20, signal);
  }
  return left.length;
}

/** Replaces what the folder says of its processes. */
export function noteProcesses(data: string, children: readonly number[]): void {
  const file = fileOf(data);
  const text = JSON.stringify({
    supervisor: identify(process.pid),
    children: children.flatMap((pid) => identify(pid) ?? []),
  });
  writeFileSync(`${file}.new`, `${text}\n`);
  renameSync(`${file}.new`, file);
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

function lives(former: z.output<typeof processSchema>): boolean {
  return identify(former.pid)?.born === former.born;
}

/** Undefined when it has ended, or when there is no /proc to ask. */
function identify(pid: number): z.output<typeof processSchema> | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name, in parentheses, may hold blanks; the state is field 3, the start time field 22.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const born = fields[19];
    if (born === undefined || hasEnded(pid, fields[0])) return undefined;
    return { pid, born: `${bootId()}-${born}` };
  } catch {
    return undefined;
  }
}

/** A zombie whose threads are still on their way out holds its ports and locks until they are gone. */
function hasEnded(pid: number, state: string | undefined): boolean {
  return state === 'X' || (state === 'Z' && readdirSync(`/proc/${pid}/task`).length <= 1);
}

/** Start times count from the boot, so they mean nothing after the next one. */
function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

function fileOf(data: string): string {
  return path.join(data, 'mesh.json');
}
