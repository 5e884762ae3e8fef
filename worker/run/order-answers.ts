/**
 * Answers kill orders in their own keys (transactions 15), for whoever gave them. Who holds runs that an
 * order stands against says that it is ending them. Once none of its runs is open any more, who held
 * them says how they ended, or else, in rank order, anybody says so, or that there was nothing to kill.
 * While a run is open on a worker that is frozen or cut off, there is no answer but what others said: the
 * run's end, or its settlement as lost, brings it. All of it is told from the view; what acts on an
 * order is elsewhere.
 */
import type { Clock } from '../../shared/clock.ts';
import { isCronmeshError } from '../../shared/errors.ts';
import { PassingLease } from '../../shared/etcd/passing-lease.ts';
import type { Etcd, Txn } from '../../shared/etcd/port.ts';
import type { RanOutcome } from '../../shared/history/records.ts';
import type { Logger } from '../../shared/log.ts';
import type { HeldOrder, JobParts, MeshView } from '../../shared/mesh/view.ts';
import type { Keys, ParsedKey } from '../../shared/protocol/keys.ts';
import { answerOrder, dropOrder, orderSeconds, standsAgainst } from '../../shared/protocol/kill.ts';
import type { OrderAnswer } from '../../shared/protocol/values.ts';
import type { BatchGate, TxnBatcher } from '../mesh/txn-batcher.ts';

const lookEveryMs = 500;
/** Who held the runs knows best how they ended, and is waited for. */
const holderFirstMs = 1_000;
const mostRunsNamed = 100;

export interface OrderAnswersOptions {
  readonly keys: Keys;
  readonly view: MeshView;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly etcd: Pick<Etcd, 'txn' | 'grantLease' | 'keepLeaseAlive' | 'revokeLease'>;
  readonly batcher: TxnBatcher;
  readonly gate: BatchGate;
  readonly workerId: string;
  /** This worker's session; undefined: it answers only for its own runs. */
  sessionId(): string | undefined;
  isMine(runId: string): boolean;
  delayMs(job: string, subject: string): number;
}

interface Target {
  readonly worker: string;
  outcome: RanOutcome | undefined;
}

/** An order without its last answer. */
interface Pending {
  readonly name: string;
  /** '' for the order against every run. */
  readonly id: string;
  readonly orderRevision: number;
  readonly targets: Map<string, Target>;
  /** When its last run was seen to be over, monotonic ms. */
  overSinceMs: number | undefined;
  isInFlight: boolean;
}

export class OrderAnswers {
  readonly #options: OrderAnswersOptions;
  readonly #pending = new Map<string, Pending>();
  readonly #lease: PassingLease;
  #stopView: () => void = () => undefined;
  #cancel: (() => void) | undefined;
  #isStopped = false;

  constructor(options: OrderAnswersOptions) {
    this.#options = options;
    this.#lease = new PassingLease(options.etcd, options.clock, orderSeconds);
  }

  start(): void {
    const { view } = this.#options;
    this.#stopView = view.onChange((change) => {
      if (change.type === 'resync') this.#considerAll();
      else this.#changed(change.key, change.deleted);
    });
    this.#considerAll();
  }

  stop(): void {
    this.#isStopped = true;
    this.#stopView();
    this.#cancel?.();
  }

  /** A run of this worker is over and its end is settled. */
  ended(name: string, runId: string, outcome: RanOutcome): void {
    for (const pending of this.#of(name)) {
      const target = pending.targets.get(runId);
      if (target !== undefined) target.outcome ??= outcome;
      this.#consider(name, pending.id);
    }
  }

  #changed(key: ParsedKey, isDeleted: boolean): void {
    if (key.kind === 'killer') {
      this.#consider(key.name, key.id ?? '');
      return;
    }
    if (this.#pending.size === 0 || !('name' in key)) return;
    const lost = key.kind === 'done' && !isDeleted ? /^lost-(.+)$/.exec(key.id)?.[1] : undefined;
    const state = this.#options.view.part(key.name)?.state?.value;
    for (const { id, targets } of this.#of(key.name)) {
      const target = state && targets.get(state.runId);
      if (target !== undefined) target.outcome = state?.outcome;
      const vanished = lost === undefined ? undefined : targets.get(lost);
      if (vanished !== undefined) vanished.outcome = 'lost';
      if (key.kind === 'fire') this.#consider(key.name, id);
    }
  }

  #of(name: string): Pending[] {
    if (this.#pending.size === 0) return [];
    return [...this.#pending.values()].filter((pending) => pending.name === name);
  }

  #considerAll(): void {
    for (const { name, id } of this.#pending.values()) this.#consider(name, id);
    for (const part of this.#options.view.snapshot.parts.values()) {
      for (const id of part.orders.keys()) this.#consider(part.name, id);
    }
  }

  /** Orders that wait for somebody's turn are looked at again; others wake when something changes. */
  #arm(): void {
    if (this.#cancel !== undefined || this.#isStopped || this.#pending.size === 0) return;
    this.#cancel = this.#options.clock.after(lookEveryMs, () => {
      this.#cancel = undefined;
      for (const { name, id } of [...this.#pending.values()]) this.#consider(name, id);
      this.#arm();
    });
  }

  #consider(name: string, id: string): void {
    const text = `${name}/${id}`;
    const part = this.#options.view.part(name);
    const order = part?.orders.get(id);
    const { state } = order?.value.answer ?? {};
    if (part === undefined || order === undefined || state === 'done' || state === 'nothing') {
      this.#pending.delete(text);
      return;
    }
    let pending = this.#pending.get(text);
    if (pending?.orderRevision !== order.orderRevision) {
      pending = {
        name,
        id,
        orderRevision: order.orderRevision,
        targets: new Map(),
        overSinceMs: undefined,
        isInFlight: false,
      };
      this.#pending.set(text, pending);
    }
    this.#arm();
    if (!pending.isInFlight && !this.#isStopped) this.#look(part, order, pending);
  }

  #look(part: JobParts, order: HeldOrder, pending: Pending): void {
    const { workerId } = this.#options;
    const isMine = (runId: string): boolean => this.#options.isMine(runId);
    const { id, targets } = pending;
    const said = order.value.answer?.runs ?? [];
    for (const { runId, worker, outcome } of said) {
      if (!targets.has(runId)) targets.set(runId, { worker, outcome });
    }
    // What this version cannot read may be a run that is meant.
    let isOpen = part.unreadable.fire.size > 0;
    let isUnsaid = false;
    for (const { value, createRevision } of part.fires.values()) {
      const { runId, worker } = value;
      if (!standsAgainst(order.orderRevision, createRevision) || (id !== '' && id !== runId)) {
        continue;
      }
      isOpen = true;
      if (!targets.has(runId)) targets.set(runId, { worker, outcome: undefined });
      isUnsaid ||= isMine(runId) && !said.some((each) => each.runId === runId);
    }
    if (isOpen) {
      pending.overSinceMs = undefined;
      if (isUnsaid && order.value.own !== true && said.length < mostRunsNamed) {
        const mine = ([runId]: readonly [string, Target]): boolean =>
          isMine(runId) || said.some((each) => each.runId === runId);
        void this.#answer(order, pending, 'killing', [...targets].filter(mine));
      }
      return;
    }
    // It is settled, and its end is about to be told.
    if ([...targets.keys()].some(isMine)) return;
    const held = [...targets.values()].some(({ worker }) => worker === workerId);
    if (held || this.#isMyTurn(pending)) void this.#over(part, order, pending);
  }

  #isMyTurn(pending: Pending): boolean {
    const { clock, view } = this.#options;
    if (this.#options.sessionId() === undefined || !view.isConnected) return false;
    pending.overSinceMs ??= clock.monotonicMs();
    const rankMs = this.#options.delayMs(pending.name, `order ${pending.orderRevision}`);
    const waitMs = rankMs + (pending.targets.size > 0 ? holderFirstMs : 0);
    return clock.monotonicMs() - pending.overSinceMs >= waitMs;
  }

  async #over(part: JobParts, order: HeldOrder, pending: Pending): Promise<void> {
    if (order.value.own === true) {
      await this.#send(pending, async () => {
        const { batcher } = this.#options;
        await batcher.submit(pending.name, dropOrder(this.#seen(order, pending)));
      });
      return;
    }
    const { id, targets } = pending;
    if (targets.size > 0) {
      await this.#answer(order, pending, 'done', [...targets]);
      return;
    }
    const state = part.state?.value;
    if (id !== '' && state?.runId === id) {
      const { worker, outcome } = state;
      const runs = [[id, { worker, outcome }]] as const;
      await this.#answer(order, pending, 'nothing', runs, 'the run had ended already');
      return;
    }
    const reason = id === '' ? 'no run of the job is open' : 'no open run has this id';
    await this.#answer(order, pending, 'nothing', [], reason);
  }

  async #answer(
    order: HeldOrder,
    pending: Pending,
    state: OrderAnswer['state'],
    runs: readonly (readonly [string, Target])[],
    reason?: string,
  ): Promise<void> {
    const { clock, workerId } = this.#options;
    const answer: OrderAnswer = {
      order: order.orderRevision,
      at: clock.wallMs(),
      worker: workerId,
      state,
      ...(reason === undefined ? {} : { reason }),
      runs: runs.slice(0, mostRunsNamed).map(([runId, { worker, outcome }]) => ({
        runId,
        worker,
        ...(outcome === undefined ? {} : { outcome }),
      })),
    };
    const send = async (leaseId: string): Promise<void> => {
      const seen = this.#seen(order, pending);
      await this.#put(answerOrder({ ...seen, order: order.value, answer, leaseId }));
    };
    await this.#send(pending, () =>
      order.lease === '0' ? this.#lease.with(send) : send(order.lease),
    );
  }

  /** By itself: what hangs on a lease must not travel with others. */
  async #put(txn: Txn): Promise<void> {
    const { etcd, gate } = this.#options;
    const { raw } = gate;
    if (raw === undefined) return;
    const { succeeded } = await etcd.txn(gate.under(raw, [txn]));
    if (!succeeded) gate.refused();
  }

  #seen({ modRevision }: HeldOrder, { name, id }: Pending): Parameters<typeof dropOrder>[0] {
    return { keys: this.#options.keys, name, runId: id === '' ? undefined : id, modRevision };
  }

  /** What came of it is told by the view; what was refused or lost is tried again with the next look. */
  async #send(pending: Pending, send: () => Promise<unknown>): Promise<void> {
    pending.isInFlight = true;
    try {
      await send();
    } catch (error) {
      // The order's lease is over, and so is the order.
      if (isCronmeshError(error, 'etcd-rejected')) return;
      const fields = { err: error, job: pending.name, order: pending.orderRevision };
      this.#options.logger.warn(fields, 'order could not be answered; will be tried again');
    } finally {
      pending.isInFlight = false;
    }
  }
}
