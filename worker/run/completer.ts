/**
 * Transaction 7 end to end: outcome into the spool, held; the completion sent until it is settled;
 * the entry released, always. Survives a restart: a held entry carries what it takes to finish. A fire
 * that never ran has no end to keep: the transaction that gives it up puts the record of it in etcd.
 */
import { z } from 'zod';
import { backoffMs, sleep, type Clock, type Random } from '../../shared/clock.ts';
import type { HistoryRecord, RunEnd, RunFacts } from '../../shared/history/records.ts';
import type { Logger } from '../../shared/log.ts';
import { completeRun, giveUpFire, readCompletion } from '../../shared/protocol/complete.ts';
import type { Keys } from '../../shared/protocol/keys.ts';
import { nextAttempt } from '../../shared/protocol/retry.ts';
import {
  decodeValue,
  fireSchema,
  stateSchema,
  triggerSchema,
} from '../../shared/protocol/values.ts';
import type { TxnBatcher } from '../mesh/txn-batcher.ts';
import type { HeldEntry, Spool } from '../spool/port.ts';
import type { ActiveRun } from './active-runs.ts';
import { notStarted, stateOf } from './run-records.ts';

const completionSchema = z.object({
  name: z.string(),
  fireId: z.string(),
  runId: z.string(),
  fireModRevision: z.int(),
  state: stateSchema.optional(),
  /** The life of the job; entries of older versions lack it, and leave no state. */
  jobCreate: z.int().optional(),
  slot: z.int().optional(),
  retry: z.object({ triggerId: z.string(), trigger: triggerSchema }).optional(),
});
type StoredCompletion = z.output<typeof completionSchema>;

export interface CompleterOptions {
  readonly keys: Keys;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly batcher: TxnBatcher;
  readonly spool: Spool;
  readonly signal: AbortSignal;
}

export class Completer {
  readonly #options: CompleterOptions;

  constructor(options: CompleterOptions) {
    this.#options = options;
  }

  /**
   * Resolves to whether this very completion settled the fire. If not, it was settled before: by a lost
   * reply of it, or as lost by somebody else; which of them, others tell.
   */
  async finish(run: ActiveRun, facts: RunFacts, end: RunEnd): Promise<boolean> {
    const { clock, random } = this.#options;
    const record: HistoryRecord = { kind: 'run-ended', run: facts, end };
    const { slot } = run.fire;
    const { job } = run.won.entry;
    const retry = nextAttempt(job, run.fire, end.outcome, clock.wallMs(), random);
    const completion: StoredCompletion = {
      name: run.won.entry.name,
      fireId: run.won.fireId,
      runId: facts.runId,
      fireModRevision: run.fireModRevision,
      state: stateOf(facts, end),
      jobCreate: run.fire.jobCreate,
      ...(slot === undefined ? {} : { slot }),
      ...(retry === undefined ? {} : { retry }),
    };
    await this.#retrying('outcome could not be spooled', facts, () =>
      this.#options.spool.hold({ id: facts.runId, records: [record], completion }),
    );
    // Re-owning may have moved the fire while the outcome was being written.
    return this.#complete({ ...completion, fireModRevision: run.fireModRevision }, facts);
  }

  /** Ends a fire before anything ran; whoever settled it meanwhile has accounted for it. */
  async giveUp(run: ActiveRun, reason: string): Promise<void> {
    const { keys, batcher, clock } = this.#options;
    const { won } = run;
    const { name } = won.entry;
    const fields = { job: name, runId: run.fire.runId };
    const at = clock.wallMs();
    await this.#retrying('fire could not be given up', fields, async () => {
      for (;;) {
        const { runId, session, slot } = run.fire;
        const txn = giveUpFire({
          keys,
          name,
          fireId: won.fireId,
          runId,
          fireModRevision: run.fireModRevision,
          ...(slot === undefined ? {} : { slot }),
          ...notStarted(won, reason, at, session),
        });
        const { result } = await batcher.submit(name, txn);
        const verdict = readCompletion({ runId }, result, (bytes) =>
          decodeValue(fireSchema, bytes),
        );
        if (verdict.kind !== 'moved') return;
        run.fireModRevision = verdict.fireModRevision;
      }
    });
  }

  async resume(entry: HeldEntry): Promise<void> {
    const { logger, spool } = this.#options;
    const parsed = completionSchema.safeParse(entry.completion);
    if (!parsed.success) {
      logger.error({ runId: entry.id }, 'held entry has no usable completion; released as it is');
      await spool.release(entry.id);
      return;
    }
    await this.#complete(parsed.data, { job: parsed.data.name, runId: parsed.data.runId });
  }

  async #complete(
    stored: StoredCompletion,
    fields: { job: string; runId: string },
  ): Promise<boolean> {
    const { keys, batcher, spool } = this.#options;
    const { state, jobCreate } = stored;
    let { fireModRevision } = stored;
    let isOurs = false;
    await this.#retrying('completion could not be sent', fields, async () => {
      for (;;) {
        const completion = {
          keys,
          name: stored.name,
          fireId: stored.fireId,
          runId: stored.runId,
          fireModRevision,
          ...(state === undefined || jobCreate === undefined
            ? {}
            : { state: { jobCreate, value: state } }),
          ...(stored.slot === undefined ? {} : { slot: stored.slot }),
          ...(stored.retry === undefined ? {} : { retry: stored.retry }),
        };
        const { result } = await batcher.submit(stored.name, completeRun(completion));
        const verdict = readCompletion(completion, result, (bytes) =>
          decodeValue(fireSchema, bytes),
        );
        isOurs = result.succeeded;
        if (verdict.kind !== 'moved') return;
        ({ fireModRevision } = verdict);
      }
    });
    await this.#retrying('spool entry could not be released', fields, () =>
      spool.release(stored.runId),
    );
    return isOurs;
  }

  async #retrying(
    what: string,
    fields: { job: string; runId: string },
    run: () => Promise<void>,
  ): Promise<void> {
    const { clock, random, logger, signal } = this.#options;
    for (let attempt = 0; ; attempt++) {
      try {
        return await run();
      } catch (error) {
        if (signal.aborted) throw error;
        logger.warn({ err: error, job: fields.job, runId: fields.runId, attempt }, what);
        await sleep(clock, backoffMs(attempt, 100, 5_000, random), signal);
      }
    }
  }
}
