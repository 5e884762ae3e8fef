/**
 * Which sessions are gone, and for how long. A session key can vanish by mistake (servers before
 * 3.5.13 revoke live leases), so a session counts as vanished only when its key is gone for 1 s and
 * none of its beats was seen for its TTL + 1 s. Times are monotonic.
 */
import type { Clock } from '../../shared/clock.ts';
import type { MeshView } from '../../shared/mesh/view.ts';

const goneForMs = 1_000;
const forgetAfterMs = 3_600_000;

export class SessionWatch {
  readonly #view: MeshView;
  readonly #clock: Clock;
  readonly #silentForMs: number;
  readonly #goneSince = new Map<string, number>();
  readonly #lastBeat = new Map<string, number>();
  readonly #stop: () => void;
  #syncedAt: number;

  constructor(view: MeshView, clock: Clock, ttlSeconds: number) {
    this.#view = view;
    this.#clock = clock;
    this.#silentForMs = ttlSeconds * 1_000 + 1_000;
    this.#syncedAt = clock.monotonicMs();
    this.#stop = view.onChange((change) => {
      const now = clock.monotonicMs();
      if (change.type === 'resync') {
        // What happened while nobody watched is unknown: count everything from now.
        this.#syncedAt = now;
        this.#goneSince.clear();
        this.#lastBeat.clear();
      } else if (change.beat !== undefined) {
        this.#lastBeat.set(change.beat.session, now);
      } else if (change.key.kind === 'session') {
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

  /** Gone, and silent for so long that its worker must have fenced itself. */
  vanished(sessionId: string): boolean {
    if (!this.goneFor(sessionId, goneForMs)) return false;
    const lastSign = this.#lastBeat.get(sessionId) ?? this.#syncedAt;
    return this.#clock.monotonicMs() - lastSign >= this.#silentForMs;
  }

  /** Forgets sessions that nobody can ask about any more. */
  sweep(): void {
    const before = this.#clock.monotonicMs() - forgetAfterMs;
    for (const map of [this.#goneSince, this.#lastBeat]) {
      for (const [id, atMs] of map) if (atMs < before && !this.alive(id)) map.delete(id);
    }
  }

  stop(): void {
    this.#stop();
  }
}
