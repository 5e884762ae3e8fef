/**
 * Orders from people: run a job now, kill what runs. Both are single transactions that may be sent
 * again when a reply is lost; a repeated request to run is known by its mark and fires once.
 */
import { createHash } from 'node:crypto';
import type { Clock, Random } from '../../shared/clock.ts';
import { CronmeshError, isCronmeshError } from '../../shared/errors.ts';
import { PassingLease } from '../../shared/etcd/passing-lease.ts';
import type { Etcd, Txn, TxnResult } from '../../shared/etcd/port.ts';
import type { Keys } from '../../shared/protocol/keys.ts';
import { orderKill, orderSeconds } from '../../shared/protocol/kill.ts';
import { requestTrigger } from '../../shared/protocol/trigger.ts';
import type { OrderValue } from '../../shared/protocol/values.ts';
import { jobNotFound, requireValid, type JobEditor } from './job-editor.ts';

/** A request to run that no worker takes up within this is settled as skipped. */
export const triggerLifeMs = 60_000;
const markSeconds = 60;
const maxSends = 3;

export interface Triggered {
  readonly triggerId: string;
  readonly expiresAt: number;
}

export class RunRequests {
  readonly #etcd: Etcd;
  readonly #keys: Keys;
  readonly #editor: JobEditor;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #markLease: PassingLease;
  readonly #orderLease: PassingLease;

  constructor(etcd: Etcd, keys: Keys, editor: JobEditor, clock: Clock, random: Random) {
    this.#etcd = etcd;
    this.#keys = keys;
    this.#editor = editor;
    this.#clock = clock;
    this.#random = random;
    this.#markLease = new PassingLease(etcd, clock, markSeconds);
    this.#orderLease = new PassingLease(etcd, clock, orderSeconds);
  }

  /**
   * Asks for one run of the job now, also while it is paused. The same `idempotencyKey` for the same
   * job within a minute answers the first request's trigger. Throws `not-found`, or `conflict` for a
   * quarantined definition.
   */
  async run(name: string, by: string, idempotencyKey: string | undefined): Promise<Triggered> {
    const nowMs = this.#clock.wallMs();
    const triggerId = `m${String(nowMs).padStart(16, '0')}-${randomText(this.#random)}`;
    const requestId = hashOf(name, idempotencyKey ?? triggerId);
    const trigger = {
      v: 1 as const,
      cause: 'manual' as const,
      tick: nowMs,
      notBefore: nowMs,
      expires: nowMs + triggerLifeMs,
      attempt: 1,
      by,
    };
    for (let attempt = 1; attempt <= maxSends; attempt++) {
      const { entry } = await this.#editor.read(name);
      if (entry === undefined) throw jobNotFound(name);
      requireValid(entry);
      const jobCreate = entry.createRevision;
      const done = await this.#markLease.with((leaseId) =>
        this.#settled(
          requestTrigger({
            keys: this.#keys,
            name,
            jobCreateRevision: jobCreate,
            triggerId,
            trigger: { ...trigger, jobCreate },
            requestId,
            leaseId,
          }),
        ),
      );
      const taken = done.succeeded ? triggerId : markOf(done);
      if (taken !== undefined) return { triggerId: taken, expiresAt: expiryOf(taken) };
      // Deleted, or created anew, since it was read.
    }
    throw new CronmeshError('conflict', `${name} is being created and deleted again and again`);
  }

  /** Kills every run of the job that is open when the order is given. Answers the order's revision. */
  async killAll(name: string, by: string, graceSeconds: number | undefined): Promise<number> {
    const done = await this.#order(name, undefined, by, graceSeconds);
    return done.revision;
  }

  /** Kills the run, when its fire is still open: undefined when it is not. */
  async killRun(
    name: string,
    target: { readonly runId: string; readonly fireId: string },
    by: string,
    graceSeconds: number | undefined,
  ): Promise<number | undefined> {
    const done = await this.#order(name, target, by, graceSeconds);
    return done.succeeded ? done.revision : undefined;
  }

  #order(
    name: string,
    target: { readonly runId: string; readonly fireId: string } | undefined,
    by: string,
    graceSeconds: number | undefined,
  ): Promise<TxnResult> {
    const order: OrderValue = {
      by,
      at: this.#clock.wallMs(),
      ...(graceSeconds === undefined ? {} : { graceSeconds }),
    };
    return this.#orderLease.with((leaseId) =>
      this.#settled(
        orderKill({
          keys: this.#keys,
          name,
          order,
          leaseId,
          ...(target === undefined ? {} : { target }),
        }),
      ),
    );
  }

  /** Both transactions may be sent again: the mark tells a repeat, an order says the same twice. */
  async #settled(txn: Txn): Promise<TxnResult> {
    for (let sends = 1; ; sends++) {
      try {
        return await this.#etcd.txn(txn);
      } catch (error) {
        if (!isCronmeshError(error, 'unknown-result') || sends >= maxSends) throw error;
      }
    }
  }
}

/** The trigger that took the request before: this one's own when a reply was lost. */
function markOf({ results }: TxnResult): string | undefined {
  const [mark] = results;
  return mark?.kind === 'get' ? mark.kvs[0]?.value.toString() : undefined;
}

function expiryOf(triggerId: string): number {
  return Number(triggerId.slice(1, 17)) + triggerLifeMs;
}

/** A key of its own for every job, whatever characters a client puts into its Idempotency-Key. */
function hashOf(name: string, key: string): string {
  return createHash('sha256').update(`${name}\0${key}`).digest('base64url');
}

function randomText(random: Random): string {
  return Array.from({ length: 8 }, () => Math.floor(random() * 36).toString(36)).join('');
}
