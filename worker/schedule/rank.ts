/**
 * Who should try first. Rendezvous hashing over job and subject (a tick, a trigger, …), weighted by
 * free slots: every worker computes the same order from the same registry, with no talk. Rank delays
 * an attempt; it never allows or forbids one, so a registry that differs between workers costs at
 * most a lost race.
 */
/** What each rank waits longer than the one before it. */
export const staggerMs = 200;
const maxDelayMs = 800;

export interface Candidate {
  readonly id: string;
  /** Free slots; at least a little above 0 so that a full worker still has a place. */
  readonly weight: number;
}

/** What a worker weighs that should rather not take a fire: it still may, after all others. */
export const avoidedWeight = 1e-9;

/** Milliseconds that `self` waits before it tries for `subject` of `job`. */
export function rankDelayMs(
  candidates: Iterable<Candidate>,
  self: string,
  job: string,
  subject: string,
): number {
  const list = [...candidates];
  const mine = list.find(({ id }) => id === self);
  if (mine === undefined) return maxDelayMs;
  const myScore = score(mine, job, subject);
  let rank = 0;
  for (const other of list) {
    if (other.id === self) continue;
    const theirs = score(other, job, subject);
    if (theirs > myScore || (theirs === myScore && other.id < self)) rank++;
  }
  return Math.min(rank * staggerMs, maxDelayMs);
}

/** Weighted rendezvous score (Schindelhauer & Schomaker): -w / ln(u), u uniform in (0, 1). */
function score(candidate: Candidate, job: string, subject: string): number {
  const uniform = (hash32(`${candidate.id}\0${job}\0${subject}`) + 0.5) / 4_294_967_296;
  return -Math.max(candidate.weight, avoidedWeight) / Math.log(uniform);
}

/** FNV-1a with a murmur finalizer: quick, and well mixed for near-equal texts. */
export function hash32(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
