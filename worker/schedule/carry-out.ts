/**
 * Carries a decision out, by the transaction that it names. Claims are in fire-claims.ts, and what is
 * not run now in not-run-fires.ts.
 */
import type { CalendarMap } from '../../shared/calendar/calendar-entry.ts';
import type { JobParts } from '../../shared/mesh/view.ts';
import { adoptJob } from '../../shared/protocol/adopt.ts';
import { freeSlot } from '../../shared/protocol/settle.ts';
import { createAccountant } from '../../shared/protocol/missed-span.ts';
import { groupOf, revisionOf, type ActionResult } from './acting.ts';
import { isOfFormerLife } from './decide.ts';
import type { Action } from './decision.ts';
import { FireClaims, type ClaimOptions } from './fire-claims.ts';
import { NotRunFires } from './not-run-fires.ts';

export interface CarryOutOptions extends ClaimOptions {
  sessionId(): string | undefined;
  /** As the view shows them now. */
  calendars(): CalendarMap;
}

export class CarryOut {
  readonly #options: CarryOutOptions;
  readonly #claims: FireClaims;
  readonly #notRun: NotRunFires;

  constructor(options: CarryOutOptions) {
    this.#options = options;
    this.#claims = new FireClaims(options);
    this.#notRun = new NotRunFires(options);
  }

  isClaiming(runId: string): boolean {
    return this.#claims.isClaiming(runId);
  }

  async act(part: JobParts, action: Action): Promise<ActionResult> {
    const sessionId = this.#options.sessionId();
    if (sessionId === undefined) return {};
    switch (action.kind) {
      case 'adopt':
        return this.#adopt(part, action.schedule, sessionId);
      case 'free-slot':
        return this.#freeSlot(part.name, action.slot, action.modRevision);
      case 'write-off':
        return this.#notRun.writeOff(part, action, sessionId);
      case 'skip-excluded':
        return this.#notRun.skipExcluded(part, action, sessionId);
      case 'queue-tick':
        return this.#notRun.queueTick(part, action, sessionId);
      case 'refuse-overlap':
        return this.#notRun.refuseOverlap(part, action, sessionId);
      case 'refuse-trigger':
        return this.#notRun.refuseTrigger(part, action, sessionId);
      case 'claim-tick':
        return this.#claims.claimTick(part, action, sessionId);
      case 'claim-trigger':
        return this.#claims.claimTrigger(part, action.triggerId, sessionId);
    }
  }

  async #freeSlot(name: string, slot: string, modRevision: number): Promise<ActionResult> {
    const { keys, batcher } = this.#options;
    return revisionOf(await batcher.submit(name, freeSlot(keys, name, slot, modRevision)));
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
      isNewLife: isOfFormerLife(part),
      schedule,
      calendars: this.#options.calendars(),
      nowMs: clock.wallMs(),
      accountant: createAccountant(sessionId),
    });
    const submitted = await batcher.submit(part.name, txn);
    return { ...revisionOf(submitted), wasLost: !submitted.result.succeeded };
  }
}
