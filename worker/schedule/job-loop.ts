/**
 * Schedules every job of the mesh: one heap, one timer (set when something is due before the next beat
 * of the pulse, which also looks at the wall clock anew), and one decision in flight per job.
 * A job is looked at again when its time comes, when the view shows a change of it or of a calendar
 * that it uses, when a slot frees, and after each transaction. After a transaction the job rests until
 * the view has caught up with the server's answer, so that no decision is made twice from the same old
 * view.
 */
import type { Clock } from '../../shared/clock.ts';
import type { Logger } from '../../shared/log.ts';
import type { SecondPulse } from '../../shared/mesh/second-pulse.ts';
import type { JobParts, MeshView } from '../../shared/mesh/view.ts';
import type { ActionResult } from './acting.ts';
import { decide } from './decide.ts';
import type { Action, DecideContext, Decision } from './decision.ts';
import { DueHeap } from './due-heap.ts';

export interface JobLoopOptions {
  readonly view: MeshView;
  readonly clock: Clock;
  readonly pulse: SecondPulse;
  readonly logger: Logger;
  /** Carries a decision out; must not throw for what can be expected of a network. */
  act(part: JobParts, action: Action): Promise<ActionResult>;
  context(part: JobParts, firstSeenMs: (subject: string) => number): DecideContext;
  /** Whether a look at a job that waits for a slot can be of any use now. */
  hasFreeSlot(): boolean;
}

/** What is due so soon after a beat is not left to it: the others who listen come first. */
const beatSlackMs = 20;
const restMs = 500;
/** After a decision that failed, which is an error of ours. */
const afterFailureMs = 10_000;
/** A turn ends after this long, so that beats and deadlines are never late behind many decisions. */
const turnMs = 20;
/**
 * Decisions under way at a time: what fills the requests that are in flight. More would be made long
 * before they are sent, from a view that is old by then: others have the fire meanwhile.
 */
const maxBusy = 500;
/** Of these, adoptions: a request of them at a time, so that no fire is late behind a mass change. */
const maxAdopting = 100;

export class JobLoop {
  readonly #options: JobLoopOptions;
  readonly #heap = new DueHeap();
  readonly #busy = new Set<string>();
  #adopting = 0;
  /** To be adopted as others of them are done. */
  readonly #wantAdoption = new Set<string>();
  readonly #dirty = new Set<string>();
  /** What is left of a look at all jobs. */
  #sweep: Iterator<string> | undefined;
  /** Revision that the view must reach before the job is decided again. */
  readonly #resting = new Map<string, number>();
  readonly #wantSlot = new Set<string>();
  /** How many of them are still to be looked at since a slot came free. */
  #wantLeft = 0;
  readonly #firstSeen = new Map<string, Map<string, number>>();
  #cancelTimer: (() => void) | undefined;
  #turnScheduled = false;
  #stopView: (() => void) | undefined;
  #stopPulse: (() => void) | undefined;
  #running = false;

  constructor(options: JobLoopOptions) {
    this.#options = options;
  }

  start(): void {
    if (this.#running) return;
    this.#running = true;
    this.#stopView = this.#options.view.onChange((change) => {
      if (change.type === 'resync') this.considerAll();
      else if (change.key.kind === 'calendar') this.#considerUsers(change.key.id);
      else if ('name' in change.key && change.key.kind !== 'state') this.consider(change.key.name);
    });
    this.#stopPulse = this.#options.pulse.add(() => this.#arm());
    this.considerAll();
  }

  stop(): void {
    this.#running = false;
    this.#stopView?.();
    this.#stopPulse?.();
    this.#cancelTimer?.();
  }

  considerAll(): void {
    for (const name of this.#firstSeen.keys()) this.#dirty.add(name);
    this.#sweep = this.#options.view.snapshot.parts.keys();
    this.#scheduleTurn();
  }

  #considerUsers(calendar: string): void {
    for (const { name, entry } of this.#options.view.snapshot.parts.values()) {
      if (entry?.ok === true && entry.job.calendars.includes(calendar)) this.#dirty.add(name);
    }
    this.#scheduleTurn();
  }

  consider(name: string): void {
    this.#dirty.add(name);
    this.#scheduleTurn();
  }

  /** A slot came free: looks at the due jobs that wait for one, oldest wish first. */
  slotFreed(): void {
    this.#wantLeft = this.#wantSlot.size;
    this.#scheduleTurn();
  }

  #scheduleTurn(): void {
    if (this.#turnScheduled || !this.#running || this.#isFull) return;
    const isIdle = this.#dirty.size === 0 && this.#sweep === undefined && this.#wantLeft === 0;
    if (isIdle && !this.#mayAdopt) return;
    this.#turnScheduled = true;
    this.#options.clock.soon(() => {
      this.#turnScheduled = false;
      const endMs = this.#options.clock.monotonicMs() + turnMs;
      this.#lookAtWaiting(endMs - turnMs / 2);
      this.#lookAtUnadopted(endMs - turnMs / 2);
      const changes = this.#dirty.values();
      while (
        !this.#isFull &&
        this.#lookAtSome(changes) &&
        this.#options.clock.monotonicMs() < endMs
      );
      this.#arm();
      this.#scheduleTurn();
    });
  }

  /** One that changed and one of all, so that neither waits for the others; false when none is left. */
  #lookAtSome(changes: Iterator<string>): boolean {
    const changed = changes.next();
    if (changed.done !== true) {
      this.#dirty.delete(changed.value);
      this.#look(changed.value);
    }
    const any = this.#sweep?.next();
    if (any?.done === false) this.#look(any.value);
    else this.#sweep = undefined;
    return changed.done !== true || this.#sweep !== undefined;
  }

  /** As many as there are slots for: with thousands that wait, a freed slot is not a look at all. */
  #lookAtWaiting(endMs: number): void {
    for (const name of this.#wantSlot) {
      if (!this.#options.hasFreeSlot()) break;
      if (this.#wantLeft === 0 || this.#isFull) return;
      if (this.#options.clock.monotonicMs() >= endMs) return;
      this.#wantLeft--;
      // It goes to the end when it has to wait again.
      this.#wantSlot.delete(name);
      this.#look(name);
    }
    this.#wantLeft = 0;
  }

  /** Looked at anew: most were adopted by others while they waited. */
  #lookAtUnadopted(endMs: number): void {
    for (const name of this.#wantAdoption) {
      if (!this.#mayAdopt || this.#isFull || this.#options.clock.monotonicMs() >= endMs) return;
      this.#wantAdoption.delete(name);
      this.#look(name);
    }
  }

  get #mayAdopt(): boolean {
    return this.#wantAdoption.size > 0 && this.#adopting < maxAdopting;
  }

  get #isFull(): boolean {
    return this.#busy.size >= maxBusy;
  }

  #arm(): void {
    this.#cancelTimer?.();
    // The end of a decision under way arms it again.
    if (!this.#running || this.#isFull) return;
    const nextMs = this.#heap.peekMs();
    if (nextMs === undefined) return;
    const { clock, pulse } = this.#options;
    const delayMs = Math.max(0, nextMs - clock.wallMs());
    if (delayMs > pulse.untilNextMs + beatSlackMs) return;
    this.#cancelTimer = clock.after(delayMs, () => {
      const nowMs = clock.wallMs();
      const endMs = clock.monotonicMs() + turnMs;
      for (let name = this.#heap.take(nowMs); name !== undefined; name = this.#heap.take(nowMs)) {
        this.#resting.delete(name);
        this.#look(name);
        if (this.#isFull || clock.monotonicMs() >= endMs) break;
      }
      this.#arm();
    });
  }

  #look(name: string): void {
    if (!this.#running || this.#busy.has(name)) return;
    const { view, clock } = this.#options;
    const restUntil = this.#resting.get(name);
    if (restUntil !== undefined) {
      if (view.revision < restUntil) return;
      this.#resting.delete(name);
    }
    const part = view.part(name);
    if (part === undefined) {
      this.#forget(name);
      return;
    }
    const decision = this.#decide(part);
    if (decision.kind === 'wait') {
      if (decision.untilMs === undefined) this.#heap.delete(name);
      else this.#heap.set(name, Math.max(decision.untilMs, clock.wallMs() + 1));
      if (decision.wantsSlot === true) this.#wantSlot.add(name);
      return;
    }
    this.#heap.delete(name);
    this.#wantAdoption.delete(name);
    if (decision.kind === 'adopt' && this.#adopting >= maxAdopting) {
      this.#wantAdoption.add(name);
      return;
    }
    if (decision.kind === 'adopt') this.#adopting++;
    this.#firstSeen.delete(name);
    this.#busy.add(name);
    void this.#act(part, decision);
  }

  /** What cannot be decided must not stop the others: it is said, and looked at again later. */
  #decide(part: JobParts): Decision {
    const { clock, logger } = this.#options;
    const { name } = part;
    let hasAsked = false;
    try {
      const context = this.#options.context(part, (subject) => {
        hasAsked = true;
        return this.#seen(name, subject);
      });
      const decision = decide(part, context);
      // What it waited for came to be by somebody else's hand, or is no more.
      if (!hasAsked) this.#firstSeen.delete(name);
      return decision;
    } catch (error) {
      logger.error({ err: error, job: name }, 'job could not be decided on; looking again in 10 s');
      return { kind: 'wait', untilMs: clock.wallMs() + afterFailureMs };
    }
  }

  async #act(part: JobParts, action: Action): Promise<void> {
    const { name } = part;
    const { view, clock, logger } = this.#options;
    let revision: number | undefined;
    try {
      ({ revision } = await this.#options.act(part, action));
    } catch (error) {
      logger.warn(
        { err: error, job: name, action: action.kind },
        'decision could not be carried out',
      );
    }
    this.#busy.delete(name);
    if (action.kind === 'adopt') this.#adopting--;
    if (!this.#running) return;
    if (revision === undefined || view.revision < revision) {
      // The view's own event ends the rest early; the heap ends it if none comes.
      this.#resting.set(name, revision ?? Number.MAX_SAFE_INTEGER);
      this.#heap.set(name, clock.wallMs() + restMs);
      this.#arm();
      this.#scheduleTurn();
    } else {
      this.consider(name);
    }
  }

  #seen(name: string, subject: string): number {
    let subjects = this.#firstSeen.get(name);
    if (subjects === undefined) {
      subjects = new Map();
      this.#firstSeen.set(name, subjects);
    }
    let atMs = subjects.get(subject);
    if (atMs === undefined) {
      // Old subjects of a job that never got to act are dropped, not kept for ever.
      if (subjects.size >= 16) subjects.clear();
      atMs = this.#options.clock.wallMs();
      subjects.set(subject, atMs);
    }
    return atMs;
  }

  #forget(name: string): void {
    this.#heap.delete(name);
    this.#firstSeen.delete(name);
    this.#resting.delete(name);
    this.#wantSlot.delete(name);
    this.#wantAdoption.delete(name);
  }
}
