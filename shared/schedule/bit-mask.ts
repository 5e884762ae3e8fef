/**
 * Sets of small numbers as bits: one 32-bit number for up to 31 members, two for the sixty seconds
 * or minutes. Members are counted from 0; -1 means there is none.
 */
export interface Mask60 {
  /** 0 to 29. */
  readonly low: number;
  /** 30 to 59, as bits 0 to 29. */
  readonly high: number;
}

/** The smallest member at or above `from`. */
export function lowestFrom(mask: number, from: number): number {
  if (from > 30) return -1;
  const rest = mask >>> from;
  return rest === 0 ? -1 : from + 31 - Math.clz32(rest & -rest);
}

/** The largest member at or below `to`, which is at most 30. */
export function highestTo(mask: number, to: number): number {
  if (to < 0) return -1;
  const rest = mask & ((2 << to) - 1);
  return rest === 0 ? -1 : 31 - Math.clz32(rest);
}

export function lowestFrom60(mask: Mask60, from: number): number {
  if (from < 30) {
    const found = lowestFrom(mask.low, from);
    if (found >= 0) return found;
  }
  const found = lowestFrom(mask.high, Math.max(0, from - 30));
  return found < 0 ? -1 : found + 30;
}

export function highestTo60(mask: Mask60, to: number): number {
  const found = highestTo(mask.high, Math.min(29, to - 30));
  return found >= 0 ? found + 30 : highestTo(mask.low, Math.min(29, to));
}

export function hasBit60(mask: Mask60, member: number): boolean {
  return member < 30
    ? ((mask.low >>> member) & 1) === 1
    : ((mask.high >>> (member - 30)) & 1) === 1;
}

/** Members given as field values, `min` becoming bit 0. */
export function maskOf(values: Iterable<number>, min: number): number {
  let mask = 0;
  for (const value of values) mask |= 1 << (value - min);
  return mask;
}

export function mask60Of(values: Iterable<number>): Mask60 {
  let low = 0;
  let high = 0;
  for (const value of values) {
    if (value < 30) low |= 1 << value;
    else high |= 1 << (value - 30);
  }
  return { low, high };
}
