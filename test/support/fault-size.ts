/**
 * How big the faults are: bounded, as they run within `npm test`, or at the size that is promised,
 * with CRONMESH_FAULTS=full (`npm run test:faults`). The tests are the same ones; only their lengths
 * and counts differ.
 */
const variable = 'CRONMESH_FAULTS';
const asked = process.env[variable] ?? 'bounded';

if (asked !== 'bounded' && asked !== 'full') {
  throw new Error(`${variable} is ${JSON.stringify(asked)}; expected "bounded" or "full"`);
}

export const isFullSize = asked === 'full';

export function sized<T>(bounded: T, full: T): T {
  return isFullSize ? full : bounded;
}
