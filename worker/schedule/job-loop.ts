/**
 * Schedules every job of the mesh: one timer (set when something is due before the next beat of the
 * pulse, which also looks at the wall clock anew), and one decision in flight per job. Fires that this
 * worker is the first to try come in order of their time, before all else; what others are to try first
 * comes after them, from the far end of those of one time, so that two who are behind do not meet.
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
import { Lane } from './lane.ts';
import { hash32 } from './rank.ts';

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
/** So long it rests in all while the view is behind and comes nearer. */
const longestRestMs = 5_000;
/** After a decision that failed, which is an error of ours. */
const afterFailureMs = 10_000;
/** A turn ends after this long, so that beats and deadlines are never late behind many decisions. */
const turnMs = 20;
/**
 * Decisions under way at a time: what fills the requests that are in flight. More would be made long
 * before they are sent, from a view that is old by then: others have the fire meanwhile.
 */
const maxBusy = 500;
/** Of these, adoptions: a request of them at a time. */
const maxAdoptions = 100;
/** And what others are to try first: few, for in a surge that many may be lost at once. */
const maxAfterOthers = 50;

interface Rest {
  /** That the view must reach before the job is decided again. */
  readonly revision: number;
  /** Where the view was when it was last looked at, and until when (monotonic) that is done. */
  seen: number;
  readonly untilMs: number;
}

export class JobLoop {
  readonly #options: JobLoopOptions;
  /** When the jobs are next to be looked at: for this worker's own sake, and after others. */
  readonly #own = new DueHeap();
  readonly #others = new DueHeap();
  readonly #busy = new Set<string>();
  readonly #adoptions = new Lane(maxAdoptions);
  readonly #afterOthers = new Lane(maxAfterOthers);
  readonly #dirty = new Set<string>();
  /** What is left of a look at all jobs. */
  #sweep: Iterator<string> | undefined;
  readonly #resting = new Map<string, Rest>();
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
    if (isIdle && !this.#mayServe(this.#adoptions) && !this.#mayServe(this.#afterOthers)) return;
    this.#turnScheduled = true;
    this.#options.clock.soon(() => {
      this.#turnScheduled = false;
      const endMs = this.#options.clock.monotonicMs() + turnMs;
      this.#lookAtWaiting(endMs - turnMs / 2);
      this.#serve(this.#afterOthers, endMs - turnMs / 2);
      this.#serve(this.#adoptions, endMs - turnMs / 2);
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

  #serve(lane: Lane, endMs: number): void {
    while (this.#mayServe(lane) && this.#options.clock.monotonicMs() < endMs) {
      const name = lane.take();
      if (name !== undefined) this.#look(name);
    }
  }

  #mayServe(lane: Lane): boolean {
    return lane.isWaiting && !this.#isFull && lane.hasRoom(this.#isPressed);
  }

  /** A fire of its own is due. */
  get #isPressed(): boolean {
    return (this.#own.peekMs() ?? Infinity) <= this.#options.clock.wallMs();
  }

  get #isFull(): boolean {
    return this.#busy.size >= maxBusy;
  }

  #arm(): void {
    this.#cancelTimer?.();
    // The end of a decision under way arms it again.
    if (!this.#running || this.#isFull) return;
    const nextMs = Math.min(this.#own.peekMs() ?? Infinity, this.#others.peekMs() ?? Infinity);
    const { clock, pulse } = this.#options;
    const delayMs = Math.max(0, nextMs - clock.wallMs());
    if (delayMs > pulse.untilNextMs + beatSlackMs) return;
    this.#cancelTimer = clock.after(delayMs, () => {
      this.#lookAtDue();
      this.#arm();
      this.#scheduleTurn();
    });
  }

  #lookAtDue(): void {
    const { clock } = this.#options;
    const nowMs = clock.wallMs();
    const endMs = clock.monotonicMs() + turnMs;
    while (!this.#isFull) {
      const name = this.#own.take(nowMs) ?? this.#others.take(nowMs);
      if (name === undefined) return;
      if (!this.#restsOn(name)) this.#look(name);
      if (clock.monotonicMs() >= endMs) return;
    }
  }

  /** A view that is only behind would have the same decided once more, in vain. */
  #restsOn(name: string): boolean {
    const { view, clock } = this.#options;
    const rest = this.#resting.get(name);
    if (rest === undefined) return false;
    const comesNearer = view.revision > rest.seen && view.revision < rest.revision;
    if (comesNearer && clock.monotonicMs() < rest.untilMs) {
      rest.seen = view.revision;
      this.#await(name, clock.wallMs() + restMs);
      return true;
    }
    this.#resting.delete(name);
    return false;
  }

  #await(name: string, atMs: number, isOthers = false): void {
    (isOthers ? this.#own : this.#others).delete(name);
    if (isOthers) this.#others.set(name, atMs, -orderOf(name));
    else this.#own.set(name, atMs, orderOf(name));
  }

  #look(name: string): void {
    if (!this.#running || this.#busy.has(name)) return;
    const { view, clock } = this.#options;
    const rest = this.#resting.get(name);
    if (rest !== undefined) {
      if (view.revision < rest.revision) return;
      this.#resting.delete(name);
    }
    const part = view.part(name);
    if (part === undefined) {
      this.#forget(name);
      return;
    }
    const decision = this.#decide(part);
    if (decision.kind === 'wait') {
      const { untilMs, afterOthersMs } = decision;
      if (untilMs === undefined) this.#awaitNothing(name);
      else this.#await(name, Math.max(untilMs, clock.wallMs() + 1), afterOthersMs !== undefined);
      if (decision.wantsSlot === true) this.#wantSlot.add(name);
      return;
    }
    this.#awaitNothing(name);
    const lane = this.#laneOf(decision);
    if (lane?.hasRoom(this.#isPressed) === false) {
      lane.wait(name, decision.afterOthersMs ?? clock.wallMs(), -orderOf(name));
      return;
    }
    lane?.begin(name);
    this.#firstSeen.delete(name);
    this.#busy.add(name);
    void this.#act(part, decision);
  }

  #laneOf({ kind, afterOthersMs }: Action): Lane | undefined {
    if (afterOthersMs !== undefined) return this.#afterOthers;
    return kind === 'adopt' ? this.#adoptions : undefined;
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
    let wasLost = false;
    try {
      ({ revision, wasLost = false } = await this.#options.act(part, action));
    } catch (error) {
      logger.warn(
        { err: error, job: name, action: action.kind },
        'decision could not be carried out',
      );
    }
    this.#busy.delete(name);
    this.#laneOf(action)?.end(name, wasLost);
    if (!this.#running) return;
    if (revision === undefined || view.revision < revision) {
      // The view's own event ends the rest early; the heap ends it if none comes.
      this.#resting.set(name, {
        revision: revision ?? Number.MAX_SAFE_INTEGER,
        seen: view.revision,
        untilMs: revision === undefined ? 0 : clock.monotonicMs() + longestRestMs,
      });
      this.#await(name, clock.wallMs() + restMs);
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
    this.#awaitNothing(name);
    this.#firstSeen.delete(name);
    this.#resting.delete(name);
    this.#wantSlot.delete(name);
  }

  #awaitNothing(name: string): void {
    this.#own.delete(name);
    this.#others.delete(name);
    this.#adoptions.forget(name);
    this.#afterOthers.forget(name);
  }
}

/** Of jobs that are due at one time; the same in all workers. */
function orderOf(name: string): number {
  return hash32(name) >>> 2;
}
