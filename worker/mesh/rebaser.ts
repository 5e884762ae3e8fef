/**
 * Stands between this worker and a restored etcd. Open: the state is the one that the cursors were
 * counted under, and every decision is sent under its cluster record. Closed: nothing is claimed or
 * settled, until the record was read in a new listing of the mesh, and a re-base, if one is due, was
 * begun, helped through and ended (shared/protocol/rebase.ts).
 *
 * It closes, at once, when an answer of etcd cannot follow from those before, and when the cluster
 * record is another one than it worked under. Whether a restore is still to be handled follows from the
 * record: it names another cluster than etcd does, or it is the one that was known before the setback
 * (or an older one). The re-base ends when nothing is left to do and every session of before must have
 * fenced itself: a run that must not overlap may have lost its open fire.
 */
import { backoffMs, sleep } from '../../shared/clock.ts';
import { setBackOf } from '../../shared/etcd/continuity.ts';
import type { Compare, Txn } from '../../shared/etcd/port.ts';
import type { Component } from '../../shared/lifecycle.ts';
import type { ClusterEntry } from '../../shared/mesh/view.ts';
import {
  beginRebase,
  clusterGuard,
  endRebase,
  recordCluster,
  underCluster,
} from '../../shared/protocol/rebase.ts';
import type { ClusterValue } from '../../shared/protocol/values.ts';
import { createRunId } from '../run/run-id.ts';
import { isRestored, type Known } from './known-record.ts';
import type { RebaserOptions } from './rebaser-options.ts';
import { listAnew } from './list-anew.ts';
import { newestTime, rebaseLeftovers } from './rebase-pass.ts';
import type { RememberedState } from './state-memory.ts';
import { lacksWitness, witnessOf, type StateWitness } from './state-witness.ts';
import type { BatchGate } from './txn-batcher.ts';

/** How far ahead of the fleet a worker may have claimed: its bound, and a step that counts as none. */
const aheadMs = 1_500;
const marginMs = 1_000;
const rememberEveryMs = 5_000;
const passSize = 2_000;

const rebasingReason = 'etcd was restored from a backup: re-basing';

type Entry = ClusterEntry & { readonly value: ClusterValue };

export class Rebaser implements Component, BatchGate {
  readonly #options: RebaserOptions;
  /** The record worked under; undefined while closed. */
  #open: Entry | undefined;
  #reason = 'the record of the cluster was not read yet';
  /** Of the record that was last worked under. */
  #openedId: string | undefined;
  #known: Known | undefined;
  /** What was known when the state was put back; undefined when it was not, or that was handled. */
  #setBackFrom: Pick<Partial<Known>, 'id'> | undefined;
  /** Revision of the first answer after it. */
  #restoredRevision = Infinity;
  #closings = 0;
  #working: Promise<void> | undefined;
  #heldSince: { readonly id: string; readonly atMs: number } | undefined;
  #longestTtlSeconds: number;
  #rememberedAtMs = -Infinity;
  /** Of a former life, to be looked for in etcd's past. */
  #witness: StateWitness | undefined;
  readonly #stops: (() => void)[] = [];

  constructor(options: RebaserOptions) {
    this.#options = options;
    this.#longestTtlSeconds = options.config.sessionTtlSeconds;
    this.#stops.push(
      options.etcd.onSetBack(({ what, before, now }) => {
        options.logger.warn({ what, before, now }, 'etcd was restored from a backup');
        this.#setBack(now.revision);
        this.#close();
      }),
    );
  }

  get isOpen(): boolean {
    return this.#open !== undefined;
  }

  /** Why nothing may be claimed; undefined when that is not because of this. */
  get reason(): string | undefined {
    return this.isOpen ? undefined : this.#reason;
  }

  get raw(): string | undefined {
    return this.#open?.raw;
  }

  under(raw: string, txns: readonly Txn[]): Txn {
    return underCluster(this.#options.keys, raw, txns);
  }

  refused(): void {
    this.#close();
  }

  /** For beats: a session is believed in only under the record that its runs were claimed under. */
  guards(): readonly Compare[] {
    return this.#open === undefined ? [] : [clusterGuard(this.#options.keys, this.#open.raw)];
  }

  async start(): Promise<void> {
    const { view, memory, config } = this.#options;
    const remembered = await memory.read();
    if (remembered?.prefix === config.prefix) this.#remember(remembered);
    this.#stops.push(
      view.onChange((change) => {
        if (change.type === 'resync' || change.key.kind === 'cluster') this.#compare();
        if (change.type === 'resync' || change.key.kind === 'session') this.#noteTtls();
      }),
    );
    this.#noteTtls();
    this.#work();
  }

  async stop(): Promise<void> {
    for (const stop of this.#stops) stop();
    await this.#working;
    await this.#save();
  }

  /** A beat was not confirmed as it should: is the record still the one? Throws nothing. */
  async verify(): Promise<void> {
    const { etcd, keys, signal } = this.#options;
    const open = this.#open;
    if (open === undefined) return;
    try {
      const { kvs } = await etcd.range({ key: keys.cluster }, { signal });
      if (this.#open === open && kvs[0]?.value.toString() !== open.raw) this.#close();
    } catch {
      // Not known: what is sent meanwhile bears the guard.
    }
  }

  /** Notes how far etcd has come, from time to time. */
  async beat(): Promise<void> {
    const nowMs = this.#options.clock.monotonicMs();
    if (nowMs - this.#rememberedAtMs < rememberEveryMs) return;
    this.#rememberedAtMs = nowMs;
    await this.#save();
  }

  async #save(): Promise<void> {
    const { etcd, memory, config, view } = this.#options;
    const mark = etcd.mark();
    if (this.#open === undefined || mark === undefined) return;
    const { mesh, generation, id } = this.#open.value;
    const seen = view.newestPut;
    const witness = seen === undefined ? {} : { witness: witnessOf(seen) };
    await memory.write({ v: 1, prefix: config.prefix, mesh, generation, id, mark, ...witness });
  }

  #remember({ mesh, generation, id, mark: before, witness }: RememberedState): void {
    this.#known = { mesh, generation, id, isSettled: true };
    this.#witness = witness;
    const now = this.#options.etcd.mark();
    if (now !== undefined && setBackOf(before, now) !== undefined) this.#setBack(now.revision);
  }

  /** Etcd may have come as far again as it had been, by other hands. */
  async #askWitness(): Promise<void> {
    const { etcd, signal } = this.#options;
    if (this.#witness === undefined) return;
    const isBack = await lacksWitness(etcd, this.#witness, signal);
    if (isBack) this.#setBack(etcd.mark()?.revision ?? Infinity);
    this.#witness = undefined;
  }

  #setBack(revision: number): void {
    const { id } = this.#known ?? {};
    this.#setBackFrom = id === undefined ? {} : { id };
    this.#restoredRevision = revision;
  }

  #noteTtls(): void {
    for (const { value } of this.#options.view.snapshot.sessions.values()) {
      this.#longestTtlSeconds = Math.max(this.#longestTtlSeconds, value.ttlSeconds ?? 0);
    }
  }

  #compare(): void {
    if (this.#open !== undefined && this.#options.view.snapshot.cluster?.raw !== this.#open.raw) {
      this.#close();
    }
  }

  #close(): void {
    this.#closings += 1;
    this.#options.view.forget();
    this.#reason = rebasingReason;
    if (this.#open === undefined) return;
    this.#open = undefined;
    this.#options.onClosed();
    this.#work();
  }

  #work(): void {
    this.#working ??= this.#untilOpen().finally(() => {
      this.#working = undefined;
      // Closed again in the last moment.
      if (!this.isOpen && !this.#options.signal.aborted) this.#work();
    });
  }

  async #untilOpen(): Promise<void> {
    const { clock, random, logger, signal } = this.#options;
    let failures = 0;
    // A listing is of no use when it was closed again since it was asked for.
    let listedAt = 0;
    while (!signal.aborted && !this.isOpen) {
      try {
        if (listedAt !== this.#closings) {
          listedAt = this.#closings;
          await listAnew(this.#options.mirror, signal);
          continue;
        }
        await this.#step();
        failures = 0;
      } catch (error) {
        if (signal.aborted) return;
        if (failures++ === 0) logger.warn({ err: error }, 'the re-base could not go on yet');
      }
      const pauseMs = backoffMs(failures, 50, 1_000, random);
      if (!this.isOpen) await sleep(clock, pauseMs, signal).catch(() => undefined);
    }
  }

  async #step(): Promise<void> {
    await this.#askWitness();
    const { view, etcd } = this.#options;
    const { cluster } = view.snapshot;
    if (cluster === undefined) {
      await this.#firstRecord();
      return;
    }
    const { raw, value } = cluster;
    const clusterId = etcd.mark()?.clusterId;
    if (value === undefined || isRestored(value, this.#known, this.#setBackFrom, clusterId)) {
      await this.#begin(raw, value);
      return;
    }
    const entry = { ...cluster, value };
    this.#setBackFrom = undefined;
    if (this.#known !== undefined && this.#known.id !== value.id) this.#options.onReplaced();
    this.#know(value);
    if (value.rebase === undefined) this.#becomeOpen(entry);
    else await this.#help(entry);
  }

  async #firstRecord(): Promise<void> {
    const { view, etcd, keys, logger } = this.#options;
    const clusterId = this.#clusterId();
    const isEmpty = view.snapshot.parts.size === 0;
    if (this.#setBackFrom !== undefined && !isEmpty) {
      await this.#begin(undefined, undefined);
      return;
    }
    this.#setBackFrom = undefined;
    const value: ClusterValue = {
      v: 1,
      mesh: this.#known?.mesh ?? this.#newId(),
      clusterId,
      generation: this.#known?.generation ?? 1,
      id: this.#newId(),
    };
    const { succeeded, revision } = await etcd.txn(recordCluster(keys, value));
    if (succeeded) logger.info({ clusterId }, 'noted the cluster');
    await this.#untilSeen(revision, succeeded, undefined);
  }

  async #begin(raw: string | undefined, was: ClusterValue | undefined): Promise<void> {
    const { view, etcd, keys, logger, clock, config } = this.#options;
    const latestMs = this.#options.latestMs();
    if (latestMs === undefined) {
      this.#reason = `${rebasingReason}, once a clock is verified`;
      return;
    }
    this.#reason = rebasingReason;
    const backupAt = newestTime(view, this.#restoredRevision, latestMs);
    const value: ClusterValue = {
      v: 1,
      mesh: was?.mesh ?? this.#known?.mesh ?? this.#newId(),
      clusterId: this.#clusterId(),
      generation: Math.max(was?.generation ?? 0, this.#known?.generation ?? 0) + 1,
      id: this.#newId(),
      rebase: {
        toTick: Math.ceil(latestMs) + aheadMs,
        ...(backupAt === undefined ? {} : { backupAt }),
        at: clock.wallMs(),
        by: config.workerId,
      },
    };
    const { succeeded, revision } = await etcd.txn(beginRebase(keys, raw, value));
    if (succeeded) logger.warn({ ...value.rebase, generation: value.generation }, 're-base begun');
    await this.#untilSeen(revision, succeeded, raw);
  }

  /** Does what is left; ends the re-base once nothing is, and nothing of before can still run. */
  async #help(entry: Entry): Promise<void> {
    const { view, clock, keys, etcd, logger } = this.#options;
    this.#reason = rebasingReason;
    const { id } = entry.value;
    if (this.#heldSince?.id !== id) this.#heldSince = { id, atMs: clock.monotonicMs() };
    const session = this.#options.sessionId() ?? '';
    const holdMs = this.#longestTtlSeconds * 1_000 + marginMs;
    const isOver = clock.monotonicMs() - this.#heldSince.atMs >= holdMs;
    const pass = { keys, view, cluster: entry, nowMs: clock.wallMs(), session, isOver };
    const left = rebaseLeftovers(pass, passSize);
    if (left.length > 0) {
      const closings = this.#closings;
      const done = await Promise.allSettled(
        left.map(({ name, txn }) => this.#options.batcher.submit(name, txn)),
      );
      if (closings !== this.#closings) return;
      const failed = done.find((each) => each.status === 'rejected');
      if (failed !== undefined) throw failed.reason;
      const results = done.flatMap((each) =>
        each.status === 'fulfilled' ? [each.value.result] : [],
      );
      const revision = Math.max(...results.map((result) => result.revision));
      await this.#untilSeen(
        revision,
        results.some(({ succeeded }) => succeeded),
        entry.raw,
      );
      return;
    }
    if (!isOver) return;
    const { succeeded, revision } = await etcd.txn(
      endRebase(keys, entry.raw, entry.value, entry.modRevision),
    );
    if (succeeded) logger.warn({ generation: entry.value.generation }, 're-base ended');
    await this.#untilSeen(revision, succeeded, entry.raw);
  }

  /**
   * Until the view has it, or for a moment: what is done must not be done again from an old view. One
   * that still shows the record that nothing stood under is of another state: listed anew.
   */
  async #untilSeen(revision: number, stood: boolean, raw: string | undefined): Promise<void> {
    const { view, clock, signal } = this.#options;
    for (let waitedMs = 0; waitedMs < 1_000 && view.revision < revision; waitedMs += 20) {
      await sleep(clock, 20, signal);
    }
    if (!stood && view.snapshot.cluster?.raw === raw) {
      this.#closings += 1;
      view.forget();
    }
  }

  #know({ mesh, generation, id, rebase }: ClusterValue): void {
    this.#known = { mesh, generation, id, isSettled: rebase === undefined };
  }

  #becomeOpen(entry: Entry): void {
    this.#open = entry;
    this.#heldSince = undefined;
    this.#restoredRevision = Infinity;
    this.#rememberedAtMs = this.#options.clock.monotonicMs();
    void this.#save();
    const isOther = this.#openedId !== undefined && this.#openedId !== entry.value.id;
    this.#openedId = entry.value.id;
    this.#options.onOpened(isOther ? entry.value.since : undefined);
  }

  #clusterId(): string {
    const mark = this.#options.etcd.mark();
    if (mark === undefined) throw new Error('etcd has not said yet which cluster it is');
    return mark.clusterId;
  }

  #newId(): string {
    const { clock, random } = this.#options;
    return createRunId(clock.wallMs(), random);
  }
}
