/**
 * Which sessions are gone, and for how long. A session key can vanish by mistake (servers before
 * 3.5.13 revoke live leases), so a session counts as vanished only when its key is gone for 1 s and
 * none of its beats was seen for its TTL + 1 s: its owner's TTL, as the session's key said while it was
 * there; else, for one that was never seen, as the fire says that names it; else the longest that a
 * worker may have. Times are monotonic.
 */
import type { Clock } from '../../shared/clock.ts';
import type { MeshView } from '../../shared/mesh/view.ts';
import { longestSessionTtlSeconds } from '../../shared/protocol/values.ts';

const goneForMs = 1_000;
const marginMs = 1_000;
const forgetAfterMs = 3_600_000;

export class SessionWatch {
  readonly #view: MeshView;
  readonly #clock: Clock;
  readonly #goneSince = new Map<string, number>();
  readonly #lastBeat = new Map<string, number>();
  /** What sessions said of themselves; kept when they are gone, for that is when it is asked for. */
  readonly #ttlSeconds = new Map<string, number>();
  readonly #stop: () => void;
  #syncedAt: number;

  constructor(view: MeshView, clock: Clock) {
    this.#view = view;
    this.#clock = clock;
    this.#syncedAt = clock.monotonicMs();
    this.#noteAll();
    this.#stop = view.onChange((change) => {
      const now = clock.monotonicMs();
      if (change.type === 'resync') {
        // What happened while nobody watched is unknown: count everything from now.
        this.#syncedAt = now;
        this.#goneSince.clear();
        this.#lastBeat.clear();
        this.#noteAll();
      } else if (change.beat !== undefined) {
        this.#lastBeat.set(change.beat.session, now);
      } else if (change.key.kind === 'session') {
        this.#note(change.key.id);
        if (change.deleted) this.#goneSince.set(change.key.id, now);
        else this.#goneSince.delete(change.key.id);
      }
    });
  }

  alive(sessionId: string): boolean {
    return this.#view.snapshot.sessions.has(sessionId);
  }

  /** The key is gone for at least `forMs`. Asking starts the count for a session never seen. */
  goneFor(sessionId: string, forMs: number): boolean {
    if (this.alive(sessionId)) return false;
    const now = this.#clock.monotonicMs();
    let since = this.#goneSince.get(sessionId);
    if (since === undefined) {
      since = now;
      this.#goneSince.set(sessionId, since);
    }
    return now - since >= forMs;
  }

  /**
   * Gone, and silent for so long that its worker must have fenced itself. `toldTtlSeconds` is what
   * others say of its TTL.
   */
  vanished(sessionId: string, toldTtlSeconds?: number): boolean {
    if (!this.goneFor(sessionId, goneForMs)) return false;
    const lastSign = this.#lastBeat.get(sessionId) ?? this.#syncedAt;
    const ttlSeconds =
      this.#ttlSeconds.get(sessionId) ?? toldTtlSeconds ?? longestSessionTtlSeconds;
    return this.#clock.monotonicMs() - lastSign >= ttlSeconds * 1_000 + marginMs;
  }

  /** Forgets sessions that nobody can ask about any more. */
  sweep(): void {
    const before = this.#clock.monotonicMs() - forgetAfterMs;
    for (const map of [this.#goneSince, this.#lastBeat]) {
      for (const [id, atMs] of map) if (atMs < before && !this.alive(id)) map.delete(id);
    }
    for (const id of this.#ttlSeconds.keys()) {
      if (!this.alive(id) && !this.#goneSince.has(id)) this.#ttlSeconds.delete(id);
    }
  }

  #noteAll(): void {
    for (const id of this.#view.snapshot.sessions.keys()) this.#note(id);
  }

  #note(sessionId: string): void {
    const ttlSeconds = this.#view.snapshot.sessions.get(sessionId)?.value.ttlSeconds;
    if (ttlSeconds !== undefined) this.#ttlSeconds.set(sessionId, ttlSeconds);
  }

  stop(): void {
    this.#stop();
  }
}
