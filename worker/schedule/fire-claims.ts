/**
 * Claims fires, and hands the won ones to the runner. The slot is promised before the claim is sent and
 * given back when the claim is lost, so a worker never wins what it cannot start at once.
 */
import { runLimit } from '../../shared/job/limits.ts';
import type { JobParts } from '../../shared/mesh/view.ts';
import { claimTick, claimTrigger, readClaim, tickFireId } from '../../shared/protocol/claim.ts';
import type { FireValue, TriggerValue } from '../../shared/protocol/values.ts';
import type { TxnBatcher } from '../mesh/txn-batcher.ts';
import { createRunId } from '../run/run-id.ts';
import {
  counted,
  revisionOf,
  type ActionResult,
  type ActOptions,
  type GoodEntry,
} from './acting.ts';
import type { Action } from './decision.ts';

export interface WonFire {
  readonly entry: GoodEntry;
  readonly fireId: string;
  readonly fire: FireValue;
  readonly claimRevision: number;
  readonly sentAtMs: number;
  readonly resent: boolean;
}

export interface ClaimOptions extends ActOptions {
  /** Of this worker's sessions. */
  readonly ttlSeconds: number;
  /** Promises a slot; false when none is free. */
  takeSlot(): boolean;
  giveSlotBack(): void;
  /** Takes over the promised slot. */
  startRun(won: WonFire): void;
}

export class FireClaims {
  readonly #options: ClaimOptions;
  /** Runs whose claims are under way: none of them is given up before its claim was answered. */
  readonly #claiming = new Set<string>();

  constructor(options: ClaimOptions) {
    this.#options = options;
  }

  isClaiming(runId: string): boolean {
    return this.#claiming.has(runId);
  }

  async claimTick(
    part: JobParts,
    action: Action & { kind: 'claim-tick' },
    sessionId: string,
  ): Promise<ActionResult> {
    const { tick, calendars } = action;
    const { entry, cursorRaw, schedule } = counted(part);
    const fire = this.#fire(part, entry, sessionId, { cause: 'tick', tick, attempt: 1 });
    const claim = {
      keys: this.#options.keys,
      name: part.name,
      jobModRevision: entry.modRevision,
      sessionId,
      fireId: tickFireId(tick),
      fire,
      exclusive: runLimit(entry.job) === 1,
      cursorRaw,
      tick,
      schedule,
      calendars,
    };
    return this.#claim(entry, claim, () => claimTick(claim));
  }

  async claimTrigger(part: JobParts, triggerId: string, sessionId: string): Promise<ActionResult> {
    const trigger = part.triggers.get(triggerId);
    const { entry } = part;
    if (trigger === undefined || entry?.ok !== true) return {};
    const fire = this.#fire(part, entry, sessionId, trigger.value);
    const claim = {
      keys: this.#options.keys,
      name: part.name,
      jobModRevision: entry.modRevision,
      sessionId,
      fireId: triggerId,
      fire,
      exclusive: runLimit(entry.job) === 1,
      triggerId,
      triggerModRevision: trigger.modRevision,
    };
    return this.#claim(entry, claim, () => claimTrigger(claim));
  }

  async #claim(
    entry: GoodEntry,
    claim: Parameters<typeof readClaim>[0],
    build: () => Parameters<TxnBatcher['submit']>[1],
  ): Promise<ActionResult> {
    const { batcher } = this.#options;
    if (!this.#options.takeSlot()) return {};
    const { runId } = claim.fire;
    let handedOver = false;
    this.#claiming.add(runId);
    try {
      const submitted = await batcher.submit(claim.name, build());
      const verdict = readClaim(claim, submitted.result);
      if (verdict.won) {
        handedOver = true;
        this.#options.startRun({
          entry,
          fireId: claim.fireId,
          fire: claim.fire,
          claimRevision: verdict.claimRevision,
          sentAtMs: submitted.sentAtMs,
          resent: submitted.resent,
        });
      }
      return { ...revisionOf(submitted), wasLost: !verdict.won };
    } finally {
      this.#claiming.delete(runId);
      if (!handedOver) this.#options.giveSlotBack();
    }
  }

  #fire(
    part: JobParts,
    entry: GoodEntry,
    sessionId: string,
    due: Pick<TriggerValue, 'cause' | 'tick' | 'attempt' | 'by'>,
  ): FireValue {
    const { clock, random, workerId, ttlSeconds } = this.#options;
    const slot = freeSlot(part, entry);
    return {
      v: 1,
      runId: createRunId(clock.wallMs(), random),
      session: sessionId,
      ttlSeconds,
      worker: workerId,
      jobCreate: entry.createRevision,
      cause: due.cause,
      tick: due.tick,
      attempt: due.attempt,
      group: entry.job.group,
      ...(due.by === undefined ? {} : { by: due.by }),
      ...(slot === undefined ? {} : { slot }),
    };
  }
}

/**
 * The lowest slot that no open fire holds, for limits above 1. Always the lowest: workers with the
 * same view then ask for the same one, and only one of them gets it, also when the limit was lowered
 * while higher slots are still held.
 */
function freeSlot(part: JobParts, entry: GoodEntry): number | undefined {
  const limit = runLimit(entry.job);
  if (limit === undefined || limit === 1) return undefined;
  let slot = 0;
  while (part.slots.has(String(slot))) slot++;
  return slot;
}
