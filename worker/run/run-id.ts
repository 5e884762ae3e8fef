/**
 * Ids of runs: 10 characters of time, 12 of chance (60 bits), in Crockford's base 32; so they sort
 * by claim time and never meet.
 */
import type { Random } from '../../shared/clock.ts';

const alphabet = '0123456789abcdefghjkmnpqrstvwxyz';

export function createRunId(nowMs: number, random: Random): string {
  let time = '';
  for (let left = nowMs, i = 0; i < 10; i++) {
    time = (alphabet[left % 32] ?? '0') + time;
    left = Math.floor(left / 32);
  }
  let chance = '';
  for (let i = 0; i < 12; i++) chance += alphabet[Math.floor(random() * 32)] ?? '0';
  return time + chance;
}
