/**
 * Transaction 11: takes `done` records from etcd into the spool and then deletes them. The session
 * that put one does it at once; anybody else does it, in rank order, once that session is gone for
 * 1 s. Spooling twice is harmless: the row's id is made from its content.
 */
import type { Clock } from '../../shared/clock.ts';
import type { Logger } from '../../shared/log.ts';
import type { MeshView } from '../../shared/mesh/view.ts';
import type { Keys } from '../../shared/protocol/keys.ts';
import { forgetDone } from '../../shared/protocol/settle.ts';
import { recordOfDone } from '../run/run-records.ts';
import type { Spool } from '../spool/port.ts';
import { KeyIndex, type PairKey } from './key-index.ts';
import type { SessionWatch } from './session-watch.ts';
import type { TxnBatcher } from './txn-batcher.ts';

const lookEveryMs = 500;
const goneForMs = 1_000;

export interface OutboxOptions {
  readonly keys: Keys;
  readonly view: MeshView;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly batcher: TxnBatcher;
  readonly spool: Spool;
  readonly sessions: SessionWatch;
  readonly workerId: string;
  sessionId(): string | undefined;
  delayMs(job: string, subject: string): number;
}

export class Outbox {
  readonly #options: OutboxOptions;
  readonly #dones: KeyIndex;
  readonly #since = new Map<string, number>();
  readonly #inFlight = new Set<string>();
  #cancel: (() => void) | undefined;
  #started = false;
  #stopped = false;

  constructor(options: OutboxOptions) {
    this.#options = options;
    this.#dones = new KeyIndex(options.view, 'done', (key) => {
      this.#consider(key);
      this.#arm();
    });
  }

  start(): void {
    this.#started = true;
    this.#arm();
  }

  /** Looks again and again for as long as there are records: an empty outbox costs nothing. */
  #arm(): void {
    if (!this.#started || this.#stopped || this.#cancel !== undefined || this.#dones.isEmpty)
      return;
    this.#cancel = this.#options.clock.after(lookEveryMs, () => {
      this.#cancel = undefined;
      const present = new Set<string>();
      for (const key of this.#dones.values()) {
        present.add(`${key.name}/${key.id}`);
        this.#consider(key);
      }
      for (const text of this.#since.keys()) if (!present.has(text)) this.#since.delete(text);
      this.#arm();
    });
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel?.();
    this.#dones.stop();
  }

  #consider(key: PairKey): void {
    const { view, clock, sessions, spool } = this.#options;
    const done = view.part(key.name)?.dones.get(key.id);
    const sessionId = this.#options.sessionId();
    if (done === undefined || sessionId === undefined || !spool.state().accepting) return;
    if (done.value.session !== sessionId) {
      if (!sessions.goneFor(done.value.session, goneForMs)) return;
      const text = `${key.name}/${key.id}`;
      const since = this.#since.get(text) ?? clock.monotonicMs();
      this.#since.set(text, since);
      const waitMs = this.#options.delayMs(key.name, `outbox ${key.id}`);
      if (clock.monotonicMs() - since < waitMs) return;
    }
    void this.#move(key);
  }

  async #move(key: PairKey): Promise<void> {
    const { keys, view, logger, batcher, spool, workerId } = this.#options;
    const text = `${key.name}/${key.id}`;
    const part = view.part(key.name);
    const done = part?.dones.get(key.id);
    if (done === undefined || this.#inFlight.has(text)) return;
    this.#inFlight.add(text);
    try {
      const command = part?.entry?.ok === true ? part.entry.job.command : '';
      await spool.append([recordOfDone(key.name, key.id, done.value, command, workerId)]);
      await batcher.submit(key.name, forgetDone(keys, key.name, key.id, done.modRevision));
    } catch (error) {
      logger.warn(
        { err: error, job: key.name },
        'done record could not be moved; will be tried again',
      );
    } finally {
      this.#inFlight.delete(text);
    }
  }
}
