/**
 * Carries a decision out: builds its transaction, sends it, and hands a won fire to the runner.
 * The slot is promised before the claim is sent and given back when the claim is lost, so a worker
 * never wins what it cannot start at once.
 */
import type { Clock, Random } from '../../shared/clock.ts';
import { runLimit } from '../../shared/job/limits.ts';
import type { JobEntry } from '../../shared/mesh/job-entry.ts';
import type { JobParts } from '../../shared/mesh/view.ts';
import { adoptJob } from '../../shared/protocol/adopt.ts';
import { claimTick, claimTrigger, readClaim, tickFireId } from '../../shared/protocol/claim.ts';
import type { Keys } from '../../shared/protocol/keys.ts';
import { createAccountant } from '../../shared/protocol/missed-span.ts';
import {
  queueTick,
  refuseOverlap,
  refuseTrigger,
  writeOff,
  type TickMove,
} from '../../shared/protocol/not-run.ts';
import {
  triggerLifeMs,
  type FireValue,
  type NotRunValue,
  type TriggerValue,
} from '../../shared/protocol/values.ts';
import type { Submitted, TxnBatcher } from '../mesh/txn-batcher.ts';
import { createRunId } from '../run/run-id.ts';
import type { Action, ActionResult } from './job-loop.ts';
import { hash32 } from './rank.ts';

/** Catch-ups of different jobs are spread over this long, and those of one job come one by one. */
const catchUpSpreadMs = 30_000;
const catchUpPaceMs = 1_000;

export type GoodEntry = JobEntry & { ok: true };

export interface WonFire {
  readonly entry: GoodEntry;
  readonly fireId: string;
  readonly fire: FireValue;
  readonly claimRevision: number;
  readonly sentAtMs: number;
  readonly resent: boolean;
}

export interface CarryOutOptions {
  readonly keys: Keys;
  readonly clock: Clock;
  readonly random: Random;
  readonly batcher: TxnBatcher;
  readonly workerId: string;
  /** Of this worker's sessions. */
  readonly ttlSeconds: number;
  sessionId(): string | undefined;
  /** Promises a slot; false when none is free. */
  takeSlot(): boolean;
  giveSlotBack(): void;
  /** Takes over the promised slot. */
  startRun(won: WonFire): void;
}

export class CarryOut {
  readonly #options: CarryOutOptions;
  /** Runs whose claims are under way: none of them is given up before its claim was answered. */
  readonly #claiming = new Set<string>();

  constructor(options: CarryOutOptions) {
    this.#options = options;
  }

  isClaiming(runId: string): boolean {
    return this.#claiming.has(runId);
  }

  async act(part: JobParts, action: Action): Promise<ActionResult> {
    const sessionId = this.#options.sessionId();
    if (sessionId === undefined) return {};
    switch (action.kind) {
      case 'adopt':
        return this.#adopt(part, action.schedule, sessionId);
      case 'write-off':
        return this.#writeOff(part, action, sessionId);
      case 'queue-tick':
        return this.#queueTick(part, action, sessionId);
      case 'refuse-overlap':
        return this.#refuseOverlap(part, action, sessionId);
      case 'refuse-trigger':
        return this.#refuseTrigger(part, action, sessionId);
      case 'claim-tick':
        return this.#claimTick(part, action.tick, sessionId);
      case 'claim-trigger':
        return this.#claimTrigger(part, action.triggerId, sessionId);
    }
  }

  async #adopt(part: JobParts, schedule: string, sessionId: string): Promise<ActionResult> {
    const { keys, clock, batcher } = this.#options;
    const { entry } = part;
    const txn = adoptJob({
      keys,
      name: part.name,
      group: groupOf(part),
      jobModRevision: entry?.modRevision ?? 0,
      jobCreateRevision: entry?.createRevision ?? 0,
      cursorRaw: part.cursor?.raw,
      schedule,
      nowMs: clock.wallMs(),
      accountant: createAccountant(sessionId),
    });
    return revisionOf(await batcher.submit(part.name, txn));
  }

  async #writeOff(
    part: JobParts,
    action: Action & { kind: 'write-off' },
    sessionId: string,
  ): Promise<ActionResult> {
    const { clock, batcher } = this.#options;
    const { entry, cursorRaw, schedule } = counted(part);
    const { span, catchUp } = action;
    const nowMs = clock.wallMs();
    const done = createAccountant(sessionId).missed(
      { createRevision: entry.createRevision, group: entry.job.group },
      schedule,
      span,
      action.reason,
      nowMs,
      catchUp,
    );
    const paceMs = hash32(part.name) % catchUpSpreadMs;
    const txn = writeOff({
      ...this.#tickMove(part.name, entry, cursorRaw, schedule, sessionId, span.toTick),
      ...(done.value.count === 0 ? {} : { account: { done: done.value, doneId: done.id } }),
      catchUps: catchUp.map((tick, index) => ({
        triggerId: `c${tick}`,
        trigger: waiting('catch-up', tick, nowMs + paceMs + index * catchUpPaceMs, entry),
      })),
    });
    return revisionOf(await batcher.submit(part.name, txn));
  }

  async #queueTick(
    part: JobParts,
    action: Action & { kind: 'queue-tick' },
    sessionId: string,
  ): Promise<ActionResult> {
    const { clock, batcher, workerId } = this.#options;
    const { entry, cursorRaw, schedule } = counted(part);
    const { tick, holders, replace } = action;
    const nowMs = clock.wallMs();
    const order = { by: `${workerId}: replaced by the next fire`, at: nowMs };
    const txn = queueTick(
      {
        ...this.#tickMove(part.name, entry, cursorRaw, schedule, sessionId, tick),
        triggerId: `q${tick}`,
        trigger: waiting('tick', tick, nowMs, entry),
      },
      holders,
      replace ? order : undefined,
    );
    return revisionOf(await batcher.submit(part.name, txn));
  }

  async #refuseOverlap(
    part: JobParts,
    action: Action & { kind: 'refuse-overlap' },
    sessionId: string,
  ): Promise<ActionResult> {
    const { entry, cursorRaw, schedule } = counted(part);
    const { tick, holders, reason } = action;
    const done: NotRunValue = {
      ...this.#skipped(reason, 'tick', entry, sessionId),
      fromTick: tick - 1,
      toTick: tick,
      schedule,
      fireId: tickFireId(tick),
    };
    const txn = refuseOverlap(
      {
        ...this.#tickMove(part.name, entry, cursorRaw, schedule, sessionId, tick),
        done,
        doneId: `skipped-${entry.createRevision}-${tickFireId(tick)}`,
      },
      holders,
    );
    return revisionOf(await this.#options.batcher.submit(part.name, txn));
  }

  async #refuseTrigger(
    part: JobParts,
    action: Action & { kind: 'refuse-trigger' },
    sessionId: string,
  ): Promise<ActionResult> {
    const { keys, batcher } = this.#options;
    const { triggerId, reason } = action;
    const trigger = part.triggers.get(triggerId);
    if (trigger === undefined) return {};
    const { cause, tick, jobCreate } = trigger.value;
    const done: NotRunValue = {
      ...this.#skipped(reason, cause, undefined, sessionId),
      group: groupOf(part),
      jobCreate,
      fromTick: tick - 1,
      toTick: tick,
      schedule: part.cursor?.cursor?.schedule ?? '-',
      fireId: triggerId,
    };
    const txn = refuseTrigger({
      keys,
      name: part.name,
      sessionId,
      triggerId,
      triggerModRevision: trigger.modRevision,
      because: action.because(keys.job(part.name)),
      done,
      doneId: `skipped-${jobCreate}-${triggerId}`,
    });
    return revisionOf(await batcher.submit(part.name, txn));
  }

  async #claimTick(part: JobParts, tick: number, sessionId: string): Promise<ActionResult> {
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
    };
    return this.#claim(entry, claim, () => claimTick(claim));
  }

  async #claimTrigger(part: JobParts, triggerId: string, sessionId: string): Promise<ActionResult> {
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
      return revisionOf(submitted);
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

  #tickMove(
    name: string,
    entry: GoodEntry,
    cursorRaw: string,
    schedule: string,
    sessionId: string,
    toTick: number,
  ): TickMove {
    const { keys } = this.#options;
    const jobModRevision = entry.modRevision;
    return { keys, name, sessionId, jobModRevision, cursorRaw, schedule, toTick };
  }

  #skipped(
    reason: string,
    cause: NotRunValue['cause'],
    entry: GoodEntry | undefined,
    session: string,
  ): Omit<NotRunValue, 'fromTick' | 'toTick' | 'schedule'> {
    return {
      v: 1,
      outcome: 'skipped',
      reason,
      at: this.#options.clock.wallMs(),
      session,
      cause,
      group: entry?.job.group ?? 'default',
      count: 1,
      jobCreate: entry?.createRevision ?? 0,
    };
  }
}

/** A trigger that stands for a tick and waits for its turn. */
function waiting(
  cause: TriggerValue['cause'],
  tick: number,
  notBefore: number,
  entry: GoodEntry,
): TriggerValue {
  return {
    v: 1,
    cause,
    tick,
    notBefore,
    expires: notBefore + triggerLifeMs,
    attempt: 1,
    jobCreate: entry.createRevision,
  };
}

/**
 * The lowest slot that no open fire holds, for limits above 1. Always the lowest: workers with the
 * same view then ask for the same one, and only one of them gets it, also when the limit was lowered
 * while higher slots are still held.
 */
function freeSlot(part: JobParts, entry: GoodEntry): number | undefined {
  const limit = runLimit(entry.job);
  if (limit === undefined || limit === 1) return undefined;
  const taken = new Set([...part.fires.values()].map(({ value }) => value.slot));
  let slot = 0;
  while (taken.has(slot)) slot++;
  return slot;
}

function groupOf(part: JobParts): string {
  return part.entry?.ok === true ? part.entry.job.group : 'default';
}

/** Decisions about ticks are only made for a good definition with a counting cursor. */
function counted(part: JobParts): { entry: GoodEntry; cursorRaw: string; schedule: string } {
  const { entry, cursor } = part;
  if (entry?.ok !== true || cursor?.cursor === undefined) {
    throw new Error(`no counting cursor for ${part.name}`);
  }
  return { entry, cursorRaw: cursor.raw, schedule: cursor.cursor.schedule };
}

function revisionOf({ result }: Submitted): ActionResult {
  return { revision: result.revision };
}
