/**
 * Settles open fires that nobody runs (transactions 8 and 9): those of vanished sessions, by the
 * survivor whose rank comes first, and those in this worker's own session that it does not know, which
 * come from claims that took effect after it gave them up.
 */
import type { Clock, Random } from '../../shared/clock.ts';
import type { Logger } from '../../shared/log.ts';
import type { MeshView } from '../../shared/mesh/view.ts';
import type { Keys } from '../../shared/protocol/keys.ts';
import { nextAttempt } from '../../shared/protocol/retry.ts';
import { settleLateClaim, settleVanished, type Settlement } from '../../shared/protocol/settle.ts';
import { KeyIndex, type PairKey } from './key-index.ts';
import type { SessionWatch } from './session-watch.ts';
import type { TxnBatcher } from './txn-batcher.ts';

const lookEveryMs = 500;
const lateClaimAfterMs = 3_000;

export interface SettlerOptions {
  readonly keys: Keys;
  readonly view: MeshView;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly batcher: TxnBatcher;
  readonly sessions: SessionWatch;
  /** This worker's session; undefined: it settles nothing. */
  sessionId(): string | undefined;
  isMine(runId: string): boolean;
  delayMs(job: string, subject: string): number;
}

export class Settler {
  readonly #options: SettlerOptions;
  readonly #fires: KeyIndex;
  /** When a fire first qualified, monotonic ms. */
  readonly #since = new Map<string, number>();
  readonly #inFlight = new Set<string>();
  #cancel: (() => void) | undefined;
  #started = false;
  #stopped = false;

  constructor(options: SettlerOptions) {
    this.#options = options;
    this.#fires = new KeyIndex(options.view, 'fire', () => this.#arm());
  }

  start(): void {
    this.#started = true;
    this.#arm();
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel?.();
    this.#fires.stop();
  }

  /** Looks again and again for as long as there are open fires: a mesh at rest costs nothing. */
  #arm(): void {
    if (!this.#started || this.#stopped || this.#cancel !== undefined || this.#fires.isEmpty)
      return;
    this.#cancel = this.#options.clock.after(lookEveryMs, () => {
      this.#cancel = undefined;
      this.#look();
      this.#arm();
    });
  }

  #look(): void {
    const { clock, view, sessions } = this.#options;
    const sessionId = this.#options.sessionId();
    if (sessionId === undefined || !view.isConnected) return;
    const present = new Set<string>();
    for (const key of this.#fires.values()) {
      const text = `${key.name}/${key.id}`;
      const fire = view.part(key.name)?.fires.get(key.id);
      if (fire === undefined || this.#options.isMine(fire.value.runId)) continue;
      const late = fire.value.session === sessionId;
      if (!late && !sessions.vanished(fire.value.session, fire.value.ttlSeconds)) continue;
      present.add(text);
      const since = this.#since.get(text) ?? clock.monotonicMs();
      this.#since.set(text, since);
      const waitMs = late ? lateClaimAfterMs : this.#options.delayMs(key.name, `settle ${key.id}`);
      if (clock.monotonicMs() - since >= waitMs) void this.#settle(key, text, sessionId, late);
    }
    for (const text of this.#since.keys()) if (!present.has(text)) this.#since.delete(text);
    sessions.sweep();
  }

  async #settle(key: PairKey, text: string, bySession: string, late: boolean): Promise<void> {
    const { keys, view, clock, random, logger, batcher } = this.#options;
    const part = view.part(key.name);
    const fire = part?.fires.get(key.id);
    if (fire === undefined || this.#inFlight.has(text)) return;
    this.#inFlight.add(text);
    const nowMs = clock.wallMs();
    const entry = part?.entry;
    const retry =
      entry?.ok === true && entry.createRevision === fire.value.jobCreate
        ? nextAttempt(entry.job, fire.value, 'lost', nowMs, random)
        : undefined;
    const settlement: Settlement = {
      keys,
      name: key.name,
      fireId: key.id,
      fire: fire.value,
      fireModRevision: fire.modRevision,
      fence: fire.createRevision,
      bySession,
      reason: late ? 'late claim' : `worker ${fire.value.worker} vanished`,
      nowMs,
      ...(retry === undefined ? {} : { retry }),
    };
    const fields = { job: key.name, tick: fire.value.tick, runId: fire.value.runId };
    try {
      const txn = late ? settleLateClaim(settlement) : settleVanished(settlement);
      const { result } = await batcher.submit(key.name, txn);
      if (result.succeeded)
        logger.warn({ ...fields, reason: settlement.reason }, 'settled as lost');
    } catch (error) {
      logger.warn({ err: error, ...fields }, 'open fire could not be settled; will be tried again');
    } finally {
      this.#inFlight.delete(text);
    }
  }
}
