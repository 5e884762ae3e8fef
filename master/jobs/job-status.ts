/** What jobs can be listed by beside their group, as flags. */
import { flag } from './job-flags.ts';

export const jobStatuses = [
  'ok',
  'paused',
  'quarantined',
  'running',
  'failing',
  'attention',
] as const;
export type JobStatus = (typeof jobStatuses)[number];

/** Beside the flags of the index: that depends on the time too. */
export const attentionBit = 16;

/** For each combination of flags, 1 when a job that bears them is asked for. */
export function passing(enabled: boolean | undefined, status: readonly JobStatus[] | undefined) {
  const wanted = status === undefined ? undefined : new Set(status);
  const passes = new Uint8Array(2 * attentionBit);
  for (let flags = 0; flags < passes.length; flags++) {
    const has = (bit: number): boolean => (flags & bit) > 0;
    const isEnabled = !has(flag.quarantined | flag.paused);
    if (enabled !== undefined && isEnabled !== enabled) continue;
    passes[flags] = Number(
      wanted === undefined ||
        (wanted.has('quarantined') && has(flag.quarantined)) ||
        (wanted.has('paused') && has(flag.paused)) ||
        (wanted.has('running') && has(flag.running)) ||
        (wanted.has('failing') && has(flag.failing)) ||
        (wanted.has('attention') && has(attentionBit)) ||
        (wanted.has('ok') && isEnabled && !has(flag.failing | attentionBit)),
    );
  }
  return passes;
}
