/**
 * What one plain Node process does with the same shell commands: spawned as the guardian spawns them
 * (a group of its own, two pipes), with nothing around it.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';

const environment = { PATH: '/usr/bin:/bin' };

/** Resolves with the wall time at which it was spawned, once it has ended and its pipes are closed. */
export async function spawnOnce(
  command: string,
  env: Readonly<Record<string, string>> = environment,
): Promise<number> {
  const child = spawn('/bin/sh', ['-c', command], {
    env: { ...env },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const startedAt = Date.now();
  child.stdout.resume();
  child.stderr.resume();
  await once(child, 'close');
  return startedAt;
}

/** Runs a second, so many at a time. */
export async function rawSpawns(command: string, total: number, atATime: number): Promise<number> {
  return inLanes(atATime, total, () => spawnOnce(command));
}

/** How often a second `run` ends when it is called `total` times, so many at a time. */
export async function inLanes(
  lanes: number,
  total: number,
  run: () => Promise<unknown>,
): Promise<number> {
  let begun = 0;
  const began = performance.now();
  await Promise.all(
    Array.from({ length: lanes }, async () => {
      while (begun < total) {
        begun++;
        await run();
      }
    }),
  );
  return total / ((performance.now() - began) / 1_000);
}
