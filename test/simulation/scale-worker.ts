/**
 * One of very many workers: the product's own decision, rank, claim, batches and completion, over a
 * simulated etcd and a network of its own. What it lacks of a whole worker is its own copy of the view
 * and of the heap of due jobs, which are the same in every one of them.
 */
import type { MeshView, JobParts } from '../../shared/mesh/view.ts';
import { completeRun } from '../../shared/protocol/complete.ts';
import type { Keys } from '../../shared/protocol/keys.ts';
import { encodeValue, type WorkerValue } from '../../shared/protocol/values.ts';
import { TxnBatcher } from '../../worker/mesh/txn-batcher.ts';
import { candidatesIn } from '../../worker/schedule/candidates.ts';
import { CarryOut } from '../../worker/schedule/carry-out.ts';
import { decide } from '../../worker/schedule/decide.ts';
import type { DecideContext, Decision } from '../../worker/schedule/decision.ts';
import type { WonFire } from '../../worker/schedule/fire-claims.ts';
import { rankDelayMs } from '../../worker/schedule/rank.ts';
import type { EtcdStore } from './etcd-store.ts';
import { Link } from './link.ts';
import type { SeededRandom } from './seeded-random.ts';
import { SimEtcd, type TxnWitness } from './sim-etcd.ts';
import { SimMachine, SimProcess } from './sim-process.ts';
import type { SimTime } from './sim-time.ts';

export interface ScaleParts {
  readonly keys: Keys;
  readonly time: SimTime;
  readonly store: EtcdStore;
  readonly view: MeshView;
  readonly witness: TxnWitness;
  /** A run was started for this tick. */
  readonly onStart: (worker: ScaleWorker, tick: number) => void;
}

export const sessionTtlSeconds = 20;
const runMs = { least: 500, most: 3_500 };

export class ScaleWorker {
  readonly id: string;
  readonly slots: number;
  readonly process: SimProcess;
  starts = 0;
  readonly #parts: ScaleParts;
  readonly #random: SeededRandom;
  readonly #etcd: SimEtcd;
  readonly #carryOut: CarryOut;
  readonly #batcher: TxnBatcher;
  readonly #sessionId: string;
  #taken = 0;
  #sequence = 0;

  constructor(
    parts: ScaleParts,
    id: string,
    slots: number,
    wallOffsetMs: number,
    random: SeededRandom,
  ) {
    const { keys, time, store, view, witness } = parts;
    this.#parts = parts;
    this.#random = random;
    this.id = id;
    this.slots = slots;
    const machine = new SimMachine({ name: id, time, rate: 1, wallOffsetMs, bootMs: 0 });
    this.process = new SimProcess(machine, random.stream('process'));
    const link = new Link(2);
    const etcd = { store, process: this.process, link, random: random.stream('net'), witness };
    this.#etcd = new SimEtcd(etcd);
    this.#sessionId = store.grant(sessionTtlSeconds, time.nowMs).id;
    const { clock } = this.process;
    this.#batcher = new TxnBatcher({
      etcd: this.#etcd,
      clock,
      random: random.next,
      signal: new AbortController().signal,
    });
    this.#carryOut = new CarryOut({
      keys,
      clock,
      random: random.stream('ids').next,
      batcher: this.#batcher,
      workerId: id,
      ttlSeconds: sessionTtlSeconds,
      sessionId: () => this.#sessionId,
      calendars: () => view.snapshot.calendars,
      takeSlot: () => this.#takeSlot(),
      giveSlotBack: () => void this.#taken--,
      startRun: (won) => this.#run(won),
    });
  }

  get freeSlots(): number {
    return this.slots - this.#taken;
  }

  /** What begins its session, and its registration. */
  register(): void {
    const { keys, store } = this.#parts;
    const { id } = this;
    const value = encodeValue({ v: 1, worker: id, ttlSeconds: sessionTtlSeconds });
    const put = { put: { key: keys.session(this.#sessionId), value, lease: this.#sessionId } };
    store.txn({ compare: [], success: [put, this.#registration()], failure: [] });
  }

  /** A beat as the session sends it. */
  async beat(): Promise<void> {
    await this.#etcd.keepLeaseAlive(this.#sessionId);
    const key = this.#parts.keys.session(this.#sessionId);
    await this.#etcd.txn({
      compare: [{ key, target: 'create', op: '>', value: 0 }],
      success: [this.#registration()],
      failure: [],
    });
  }

  /** Decides about the job as it is seen now, and does so. */
  look(part: JobParts): Decision {
    const decision = decide(part, this.#context(part));
    if (decision.kind !== 'wait') void this.#carryOut.act(part, decision);
    return decision;
  }

  #context(part: JobParts): DecideContext {
    const { view } = this.#parts;
    const nowMs = this.process.clock.wallMs();
    return {
      nowMs,
      calendars: view.snapshot.calendars,
      canDecide: () => true,
      canClaim: () => this.freeSlots > 0,
      canCatchUp: () => this.freeSlots > 0,
      sessionAlive: () => true,
      delayMs: (subject, avoid) => {
        const candidates = candidatesIn(view.snapshot.workers, this.id, avoid);
        return rankDelayMs(candidates, this.id, part.name, subject);
      },
      firstSeenMs: () => nowMs,
    };
  }

  #takeSlot(): boolean {
    if (this.freeSlots <= 0) return false;
    this.#taken++;
    return true;
  }

  #run({ entry, fireId, fire, claimRevision }: WonFire): void {
    const { keys, onStart } = this.#parts;
    const { clock } = this.process;
    const startedAt = clock.wallMs();
    this.starts++;
    onStart(this, fire.tick);
    clock.after(this.#random.between(runMs.least, runMs.most), () => {
      const { tick, runId, jobCreate, worker } = fire;
      const ended = { v: 1, outcome: 'succeeded', tick, runId, worker, startedAt } as const;
      const completion = completeRun({
        keys,
        name: entry.name,
        fireId,
        runId,
        fireModRevision: claimRevision,
        state: { jobCreate, value: { ...ended, endedAt: clock.wallMs(), exitCode: 0 } },
      });
      void this.#batcher.submit(entry.name, completion).then(() => void this.#taken--);
    });
  }

  #registration(): { put: { key: string; value: string; lease: string } } {
    const value: WorkerValue = {
      v: 1,
      id: this.id,
      session: this.#sessionId,
      sequence: this.#sequence++,
      wallMs: this.process.clock.wallMs(),
      ...{ host: this.id, version: '0', pid: 1, load: [0], startedAt: 0 },
      slots: this.slots,
      running: this.#taken,
      state: 'ready',
      reasons: [],
      spool: { pendingRecords: 0, pendingBytes: 0 },
    };
    const key = this.#parts.keys.worker(this.id);
    return { put: { key, value: encodeValue(value), lease: this.#sessionId } };
  }
}
