/**
 * Finds the processes of all runs that are being ended, with as few readings of the process table
 * as can be: all that look for something at about the same time share one, and between two readings
 * there is time for everything else. A run that is `condemned` loses what bears its id in the
 * reading itself.
 */
import type { Clock } from '../../shared/clock.ts';
import { readTableKilling } from './hunt.ts';
import { readOwnLine, signalProcess, type ProcessEntry } from './process-table.ts';
import { findTrees, type TreeRoot } from './process-tree.ts';

/** How old a look may be that is only meant to find as many as possible. */
const recentMs = 20;
const killPauseMs = 2;

export interface WatchedRoot extends TreeRoot {
  readonly isCondemned: boolean;
}

export class TreeWatch {
  readonly #clock: Clock;
  readonly #roots = new Set<WatchedRoot>();
  #begunAtMs = -Infinity;
  #endedAtMs = -Infinity;
  #table: readonly ProcessEntry[] | undefined;
  #spared: ReadonlySet<number> = new Set();
  #trees = new Map<WatchedRoot, ProcessEntry[]>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(root: WatchedRoot): void {
    this.#roots.add(root);
  }

  remove(root: WatchedRoot): void {
    this.#roots.delete(root);
    this.#trees.delete(root);
    // What was read is of no use to anybody any more.
    if (this.#roots.size === 0) this.#table = undefined;
  }

  /** Whoever was there a moment ago. Undefined where there is no process table. */
  findSoon(root: WatchedRoot): readonly ProcessEntry[] | undefined {
    const nowMs = this.#clock.monotonicMs();
    if (this.#table === undefined || nowMs - this.#endedAtMs > recentMs) this.#read();
    return this.#treeOf(root);
  }

  /**
   * Who was there at some moment after `sinceMs` (monotonic); those killed by this very reading
   * are among them. 'later' while a reading would follow too close upon the last one: only every
   * other moment is for readings, or every fourth when the root is not condemned. Undefined where
   * there is no process table.
   */
  find(root: WatchedRoot, sinceMs: number): readonly ProcessEntry[] | 'later' | undefined {
    if (this.#table === undefined || this.#begunAtMs <= sinceMs) {
      const tookMs = this.#endedAtMs - this.#begunAtMs;
      const restMs = (root.isCondemned ? 1 : 3) * (Number.isNaN(tookMs) ? 0 : tookMs);
      if (this.#clock.monotonicMs() - this.#endedAtMs < restMs) return 'later';
      this.#read();
    }
    return this.#treeOf(root);
  }

  /**
   * KILL to whoever is found of any root, until nobody is, twice, or the limit is over. It holds
   * the thread: for a process that has nothing else to do any more.
   */
  killAll(limitMs: number): void {
    const untilMs = this.#clock.monotonicMs() + limitMs;
    const pause = new Int32Array(new SharedArrayBuffer(4));
    let clean = 0;
    while (this.#roots.size > 0 && this.#clock.monotonicMs() < untilMs) {
      this.#read();
      const members = [...this.#trees.values()].flat();
      clean = members.length === 0 ? clean + 1 : 0;
      if (clean >= 2) return;
      for (const member of members) signalProcess(member, 'SIGKILL');
      Atomics.wait(pause, 0, 0, killPauseMs);
    }
  }

  #read(): void {
    this.#begunAtMs = this.#clock.monotonicMs();
    const condemned = new Set<string>();
    for (const { isCondemned, runId } of this.#roots) {
      if (isCondemned && runId !== undefined) condemned.add(runId);
    }
    this.#spared = readOwnLine();
    this.#table = readTableKilling(condemned, this.#spared);
    this.#trees = findTrees(this.#table ?? [], this.#roots, this.#spared);
    this.#endedAtMs = this.#clock.monotonicMs();
  }

  /** A root that came after the reading is looked up in it by itself. */
  #treeOf(root: WatchedRoot): readonly ProcessEntry[] | undefined {
    if (this.#table === undefined) return undefined;
    let tree = this.#trees.get(root);
    if (tree === undefined) {
      tree = findTrees(this.#table, [root], this.#spared).get(root) ?? [];
      this.#trees.set(root, tree);
    }
    return tree;
  }
}
