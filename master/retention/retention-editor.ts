/**
 * Reads and edits what the mesh keeps of history, in etcd itself. An edit is guarded by the setting as
 * it was read for it; a lost reply is settled by reading again.
 */
import { CronmeshError, isCronmeshError } from '../../shared/errors.ts';
import type { EtcdKv } from '../../shared/etcd/port.ts';
import type { Retention } from '../../shared/history/retention-rule.ts';
import type { Keys } from '../../shared/protocol/keys.ts';
import {
  putRetention,
  readRetention,
  storedFrom,
  type StoredRetention,
} from '../../shared/protocol/retention.ts';
import { requireHolds, type Precondition } from '../http/preconditions.ts';

const maxAttempts = 5;
const maxReads = 2;
const readTimeoutMs = 2_000;

export class RetentionEditor {
  readonly #etcd: EtcdKv;
  readonly #keys: Keys;

  constructor(etcd: EtcdKv, keys: Keys) {
    this.#etcd = etcd;
    this.#keys = keys;
  }

  /** Throws `etcd-unavailable`. */
  async read(): Promise<StoredRetention> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await readRetention(this.#etcd, this.#keys, readTimeoutMs);
      } catch (error) {
        // A read has no effect that could be in doubt.
        if (!isCronmeshError(error, 'unknown-result')) throw error;
        if (attempt < maxReads) continue;
        throw new CronmeshError('etcd-unavailable', error.message, { cause: error });
      }
    }
  }

  /** Answers the revision of the setting. Throws `precondition-failed`. */
  async put(
    retention: Retention,
    precondition: Precondition,
  ): Promise<{ revision: number; isNew: boolean }> {
    let seen = await this.read();
    /** Base revision of an attempt whose reply was lost. */
    let inDoubt: number | undefined;
    for (let attempt = 1; attempt <= maxAttempts; attempt++) {
      const { revision } = seen;
      const isThere = revision > 0 && isSame(seen.retention, retention);
      if (inDoubt !== undefined && inDoubt !== revision && isThere) {
        return { revision, isNew: inDoubt === 0 };
      }
      requireHolds(precondition, revision, 'setting');
      if (isThere) return { revision, isNew: false };
      try {
        const done = await this.#etcd.txn(putRetention(this.#keys, revision, retention));
        if (done.succeeded) return { revision: done.revision, isNew: revision === 0 };
        seen = storedFrom(done.results);
      } catch (error) {
        if (!isCronmeshError(error, 'unknown-result')) throw error;
        inDoubt = revision;
        seen = await this.#readInDoubt(error);
      }
    }
    throw new CronmeshError('busy', 'The setting is edited again and again; nothing was changed');
  }

  /** Whoever asked must not take "unavailable" for "nothing was done". */
  async #readInDoubt(doubt: CronmeshError): Promise<StoredRetention> {
    try {
      return await this.read();
    } catch (error) {
      throw new CronmeshError(
        'unknown-result',
        'etcd did not say whether the edit was made; read the setting again',
        { cause: new AggregateError([doubt, error]) },
      );
    }
  }
}

function isSame(a: Retention | undefined, b: Retention): boolean {
  return (
    a?.maxAgeDays === b.maxAgeDays &&
    a.maxRuns === b.maxRuns &&
    a.keepLastFailure === b.keepLastFailure
  );
}
