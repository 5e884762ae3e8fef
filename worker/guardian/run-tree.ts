/**
 * The whole process tree of one run, and its end: the process group at once, and what left it
 * (setsid, double fork) as it is found, until nothing is left.
 * quiet -> (terminating: TERM) -> (killing: KILL, again and again) -> gone.
 * The process table is read only while a run is being ended: at its TERM, at its KILL, and to be
 * sure that none is left. Looking goes on for `afterKillLimitMs` after the KILL, and no longer.
 */
import type { Clock } from '../../shared/clock.ts';
import { Alarm } from './alarm.ts';
import { groupExists, signalGroup, terminateGroup } from './process-group.ts';
import {
  isSameProcess,
  isYoungerThan,
  readProcess,
  signalProcess,
  type ProcessEntry,
} from './process-table.ts';
import type { RunCgroup } from './run-cgroups.ts';
import type { TreeWatch, WatchedRoot } from './tree-watch.ts';

const pollMs = 20;
/** Between two searches for what respawns itself. */
const huntMs = 2;
/** One that finds nobody is no proof where processes hand on to others. */
const wantedCleanSearches = 2;
/** Some are in uninterruptible waits, and some belong to others. */
const afterKillLimitMs = 900;
/** While the group stays, the table is read at the poll of this number, and at twice, four times... it. */
const firstTablePoll = 2;

export interface RunTreeOptions {
  readonly clock: Clock;
  readonly watch: TreeWatch;
  readonly leaderId: number;
  /** Monotonic ms. */
  readonly startedAtMs: number;
  readonly runId: string | undefined;
  /** When it has one, it alone says what is left. */
  readonly cgroup: RunCgroup | undefined;
  /** Its output is open: somebody who has it is left, even if nobody is found. */
  readonly isHeld: () => boolean;
  /** Once, after terminate() or kill(): nothing is left, or only what even KILL did not remove. */
  readonly onGone: (left: number) => void;
}

export class RunTree implements WatchedRoot {
  readonly runId: string | undefined;
  readonly #options: RunTreeOptions;
  readonly #pollAlarm: Alarm;
  /** Members outside the group that were met and told to end. */
  #escaped: ProcessEntry[] = [];
  readonly #known = new Map<number, number>();
  #isLeaderCollected = false;
  /** From here on the leader's number may be given to others, as a group and as a session. */
  #isGroupGone = false;
  #isSessionGone = false;
  #killedAtMs: number | undefined;
  /** A search is owed of a table that was read after this. */
  #searchSinceMs: number | undefined;
  /** Since its KILL the table was read once with nobody outside the group: nor will there be. */
  #isGroupAlone = false;
  /** Members were met outside the group, or hold its output: there may be more of them. */
  #isHunted = false;
  #cleanSearches = 0;
  #polls = 0;
  #nextTablePoll = firstTablePoll;
  #gone = false;

  constructor(options: RunTreeOptions) {
    this.#options = options;
    this.runId = options.runId;
    this.#pollAlarm = new Alarm(options.clock, () => this.#poll());
  }

  get leaderId(): number | undefined {
    return this.#isGroupGone && this.#isSessionGone ? undefined : this.#options.leaderId;
  }

  get isLeaderCollected(): boolean {
    return this.#isLeaderCollected;
  }

  get known(): ReadonlyMap<number, number> {
    return this.#known;
  }

  get isCondemned(): boolean {
    return this.#killedAtMs !== undefined && !this.#gone;
  }

  /** Members of the group, dead or alive. */
  get hasGroup(): boolean {
    this.#isGroupGone ||= this.#isLeaderCollected && !groupExists(this.#options.leaderId);
    return !this.#isGroupGone;
  }

  /**
   * The group, if it may be signalled. Whoever collected the leader may not yet have been heard, and
   * if this process was stopped for long meanwhile, the number is another's.
   */
  get #group(): number | undefined {
    const { clock, leaderId, startedAtMs } = this.#options;
    if (!this.#isLeaderCollected && isYoungerThan(leaderId, clock.monotonicMs() - startedAtMs)) {
      this.#isLeaderCollected = true;
      this.#isGroupGone = true;
    }
    return this.hasGroup ? leaderId : undefined;
  }

  #killGroup(): void {
    const group = this.#group;
    if (group !== undefined) signalGroup(group, 'SIGKILL');
  }

  leaderExited(): void {
    this.#isLeaderCollected = true;
    if (this.#pollAlarm.atMs !== Infinity) this.#pollSoon();
  }

  /** TERM to every member. */
  terminate(): void {
    const { cgroup, watch } = this.#options;
    watch.add(this);
    // Looked for first: who is whose child is known only while the parents live.
    const members = cgroup === undefined ? watch.findSoon(this) : cgroup.members().map(readProcess);
    const group = this.#group;
    if (group !== undefined) terminateGroup(group);
    this.#meet(members ?? []);
    this.#pollSoon();
  }

  /** KILL to every member, at once to those of the group. */
  kill(): void {
    this.#killGroup();
    this.#options.cgroup?.kill();
    this.#killedAtMs = this.#options.clock.monotonicMs();
    this.#options.watch.add(this);
    this.#searchSinceMs = this.#killedAtMs;
    this.#polls = 0;
    this.#nextTablePoll = firstTablePoll;
    this.#pollSoon();
  }

  /** For a guardian that is about to end: KILL, as far as it goes at once. */
  abandon(): void {
    if (this.#gone) return;
    this.#killGroup();
    this.#options.cgroup?.kill();
    this.#killedAtMs ??= this.#options.clock.monotonicMs();
    this.#options.watch.add(this);
  }

  /** The run is over; what it left behind by itself is its own. */
  close(): void {
    this.#gone = true;
    this.#pollAlarm.clear();
    this.#options.watch.remove(this);
    this.#options.cgroup?.leave();
  }

  #pollSoon(): void {
    this.#pollAlarm.set(this.#options.clock.monotonicMs());
  }

  #poll(): void {
    if (this.#gone) return;
    const nowMs = this.#options.clock.monotonicMs();
    this.#polls += 1;
    const left = this.#countLeft(nowMs);
    if (left === 0 || (this.#killedAtMs ?? Infinity) + afterKillLimitMs <= nowMs) {
      this.#gone = true;
      this.#options.watch.remove(this);
      this.#options.onGone(left);
      return;
    }
    const delayMs = this.isCondemned && this.#isHunted ? huntMs : pollMs;
    this.#pollAlarm.set(this.#options.clock.monotonicMs() + delayMs);
  }

  #countLeft(nowMs: number): number {
    const { cgroup } = this.#options;
    if (cgroup !== undefined) return this.#countInCgroup(cgroup);
    // The group is asked all the time, for it costs nothing; the table now and then.
    const { hasGroup } = this;
    const since = this.#searchSinceMs;
    if (since !== undefined) return this.#search(since);
    if (hasGroup) {
      if (!this.#isLeaderCollected || this.#polls < this.#nextTablePoll) return 1;
      this.#nextTablePoll *= 2;
      return this.#search(nowMs);
    }
    if (this.#isGroupAlone && !this.#options.isHeld()) return 0;
    this.#escaped = this.#escaped.filter(isSameProcess);
    // All that is known is gone. The search for others waits one round, and so is shared.
    if (this.#escaped.length === 0) this.#searchSinceMs = nowMs;
    return 1;
  }

  #search(sinceMs: number): number {
    const members = this.#options.watch.find(this, sinceMs);
    if (members === undefined) return this.hasGroup ? 1 : 0;
    if (members === 'later') {
      this.#searchSinceMs = sinceMs;
      return 1;
    }
    this.#searchSinceMs = undefined;
    const { leaderId } = this.#options;
    this.#isSessionGone ||=
      this.#isLeaderCollected && members.every(({ sessionId }) => sessionId !== leaderId);
    this.#meet(members);
    const isHeld = this.#options.isHeld();
    const isKilled = this.#killedAtMs !== undefined;
    if (isKilled || members.length === 0) {
      this.#isHunted ||= this.#known.size > 0 || (members.length === 0 && isHeld);
    }
    if (!this.#isHunted) {
      this.#isGroupAlone = isKilled;
      return members.length;
    }
    this.#cleanSearches = members.length === 0 ? this.#cleanSearches + 1 : 0;
    if (this.#cleanSearches >= wantedCleanSearches) {
      if (isKilled && !isHeld) return 0;
      // Whoever hands on fast enough was not seen: nobody who is seen is harmed by a KILL.
      if (!isKilled) this.kill();
    }
    if (isKilled || members.length === 0) this.#searchSinceMs = this.#options.clock.monotonicMs();
    return 1;
  }

  /** Signals members outside the group: TERM once, KILL as often as they are met. */
  #meet(members: readonly (ProcessEntry | undefined)[]): void {
    this.#escaped = members
      .filter((member) => member !== undefined)
      .filter(({ groupId }) => groupId !== this.#options.leaderId);
    for (const member of this.#escaped) {
      const isNew = this.#known.get(member.pid) !== member.startTicks;
      this.#known.set(member.pid, member.startTicks);
      if (this.#killedAtMs !== undefined) {
        signalProcess(member, 'SIGKILL');
      } else if (isNew) {
        signalProcess(member, 'SIGTERM');
        signalProcess(member, 'SIGCONT');
      }
    }
  }

  #countInCgroup(cgroup: RunCgroup): number {
    if (!cgroup.isPopulated()) return 0;
    if (this.#killedAtMs !== undefined) cgroup.kill();
    return 1;
  }
}
