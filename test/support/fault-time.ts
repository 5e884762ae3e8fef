/** Time as the faults need it: how long a fault lasts, and how late runs were. */
import type { OracleLine } from './oracle.ts';
import { waitFor } from './server-process.ts';

export async function untilWall(atMs: number): Promise<void> {
  await waitFor(() => Date.now() >= atMs, {
    timeoutMs: Math.max(0, atMs - Date.now()) + 60_000,
    describe: () => 'time to pass',
  });
}

export async function forSeconds(seconds: number): Promise<void> {
  await untilWall(Date.now() + seconds * 1_000);
}

/** Milliseconds from tick to beginning that half, and 99 of 100, of the runs stayed within. */
export function lateness(lines: readonly OracleLine[]): { p50: number; p99: number } {
  const sorted = lines.map(({ atMs, tick }) => atMs - tick).toSorted((a, b) => a - b);
  const at = (part: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;
  return { p50: at(0.5), p99: at(0.99) };
}
