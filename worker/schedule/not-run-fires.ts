/**
 * Accounts for fires that are not run now: writes off old ticks, passes over those that the calendars
 * exclude, queues or refuses a tick because of overlap, refuses triggers.
 */
import type { JobParts } from '../../shared/mesh/view.ts';
import { tickFireId } from '../../shared/protocol/claim.ts';
import { queuedTriggerId } from '../../shared/protocol/keys.ts';
import { createAccountant } from '../../shared/protocol/missed-span.ts';
import {
  queueTick,
  refuseOverlap,
  refuseTrigger,
  skipExcluded,
  writeOff,
  type TickMove,
} from '../../shared/protocol/not-run.ts';
import {
  triggerLifeMs,
  type NotRunValue,
  type TriggerValue,
} from '../../shared/protocol/values.ts';
import {
  counted,
  groupOf,
  revisionOf,
  type ActionResult,
  type ActOptions,
  type GoodEntry,
} from './acting.ts';
import type { Action } from './decision.ts';
import { hash32 } from './rank.ts';

/** Catch-ups of different jobs are spread over this long, and those of one job come one by one. */
const catchUpSpreadMs = 30_000;
const catchUpPaceMs = 1_000;

export class NotRunFires {
  readonly #options: ActOptions;

  constructor(options: ActOptions) {
    this.#options = options;
  }

  async writeOff(
    part: JobParts,
    action: Action & { kind: 'write-off' },
    sessionId: string,
  ): Promise<ActionResult> {
    const { clock, batcher } = this.#options;
    const { entry, schedule } = counted(part);
    const { span, catchUp, outcome, reason } = action;
    const nowMs = clock.wallMs();
    const job = { createRevision: entry.createRevision, group: entry.job.group };
    const accountant = createAccountant(sessionId);
    const done =
      outcome === 'missed'
        ? accountant.missed(job, schedule, span, reason, nowMs, catchUp)
        : accountant.passedOver(job, schedule, span, reason, nowMs, catchUp);
    const paceMs = hash32(part.name) % catchUpSpreadMs;
    const txn = writeOff({
      ...this.#tickMove(part, action, sessionId, span.toTick),
      ...(done.value.count === 0 ? {} : { account: { done: done.value, doneId: done.id } }),
      catchUps: catchUp.map((tick, index) => ({
        triggerId: `c${tick}`,
        trigger: waiting('catch-up', tick, nowMs + paceMs + index * catchUpPaceMs, entry),
      })),
    });
    return revisionOf(await batcher.submit(part.name, txn));
  }

  async skipExcluded(
    part: JobParts,
    action: Action & { kind: 'skip-excluded' },
    sessionId: string,
  ): Promise<ActionResult> {
    const { clock, batcher } = this.#options;
    const { entry, schedule } = counted(part);
    const { span, reason } = action;
    const done = createAccountant(sessionId).passedOver(
      { createRevision: entry.createRevision, group: entry.job.group },
      schedule,
      span,
      reason,
      clock.wallMs(),
    );
    const txn = skipExcluded({
      ...this.#tickMove(part, action, sessionId, span.toTick),
      done: done.value,
      doneId: done.id,
    });
    return revisionOf(await batcher.submit(part.name, txn));
  }

  async queueTick(
    part: JobParts,
    action: Action & { kind: 'queue-tick' },
    sessionId: string,
  ): Promise<ActionResult> {
    const { clock, batcher, workerId } = this.#options;
    const { entry } = counted(part);
    const { tick, holders, replace } = action;
    const nowMs = clock.wallMs();
    const order = { by: `${workerId}: replaced by the next fire`, at: nowMs, own: true };
    const txn = queueTick(
      {
        ...this.#tickMove(part, action, sessionId, tick),
        triggerId: queuedTriggerId(tick),
        trigger: waiting('tick', tick, nowMs, entry),
      },
      holders,
      replace ? order : undefined,
    );
    return revisionOf(await batcher.submit(part.name, txn));
  }

  async refuseOverlap(
    part: JobParts,
    action: Action & { kind: 'refuse-overlap' },
    sessionId: string,
  ): Promise<ActionResult> {
    const { entry, schedule } = counted(part);
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
        ...this.#tickMove(part, action, sessionId, tick),
        done,
        doneId: `skipped-${entry.createRevision}-${tickFireId(tick)}`,
      },
      holders,
    );
    return revisionOf(await this.#options.batcher.submit(part.name, txn));
  }

  async refuseTrigger(
    part: JobParts,
    action: Action & { kind: 'refuse-trigger' },
    sessionId: string,
  ): Promise<ActionResult> {
    const { keys, batcher } = this.#options;
    const { triggerId, reason } = action;
    const trigger = part.triggers.get(triggerId);
    const unreadable = part.unreadable.trigger.get(triggerId);
    const modRevision = (trigger ?? unreadable)?.modRevision;
    if (modRevision === undefined) return {};
    // What an unreadable one was for, nobody knows: it is told under the time when it was found.
    const { cause, tick, jobCreate } = trigger?.value ?? {
      cause: 'manual' as const,
      tick: this.#options.clock.wallMs(),
      jobCreate: part.entry?.createRevision ?? 0,
    };
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
      triggerModRevision: modRevision,
      because: action.because(keys.job(part.name)),
      done,
      doneId: `skipped-${trigger === undefined ? `m${modRevision}` : jobCreate}-${triggerId}`,
    });
    return revisionOf(await batcher.submit(part.name, txn));
  }

  #tickMove(
    part: JobParts,
    { calendars }: Pick<TickMove, 'calendars'>,
    sessionId: string,
    toTick: number,
  ): TickMove {
    const { keys } = this.#options;
    const { name } = part;
    const { entry, cursorRaw, schedule } = counted(part);
    const jobModRevision = entry.modRevision;
    return { keys, name, sessionId, jobModRevision, cursorRaw, schedule, toTick, calendars };
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
