/**
 * `npm run simulate -- --workers 1000 --jobs 100000`: one due minute of fleets of 1, 10, 100 … workers
 * with the same jobs and the same number of slots in all, and what each asks of etcd.
 *
 * Decisions, ranks, claims, batches and completions are the product's own. A thousand whole workers
 * would hold a thousand views and heaps of the same jobs; here there is one view, told of every commit
 * a few milliseconds later, and one list of what is due. Of a due job only that worker is woken whose
 * turn is next, and the one after it only if the view shows no claim when its turn has come: whoever
 * would be woken later would see the claim and do nothing. What a worker spends on looking is not shown.
 */
import type { Txn, TxnResult } from '../../shared/etcd/port.ts';
import { MeshView } from '../../shared/mesh/view.ts';
import { encodeCursor } from '../../shared/protocol/cursor.ts';
import { createKeys } from '../../shared/protocol/keys.ts';
import { parseSchedule } from '../../shared/schedule/parse-schedule.ts';
import { hash32, staggerMs } from '../../worker/schedule/rank.ts';
import { EtcdStore } from './etcd-store.ts';
import { nameOf } from './mutants.ts';
import { ScaleWorker, sessionTtlSeconds, type ScaleParts } from './scale-worker.ts';
import { SeededRandom } from './seeded-random.ts';
import { SimTime } from './sim-time.ts';

export interface ScaleRow {
  readonly workers: number;
  readonly fires: number;
  readonly started: number;
  readonly twice: number;
  /** Requests that claims and completions travelled in. */
  readonly requests: number;
  /** Transactions that changed something, claims and completions. */
  readonly writes: number;
  readonly claimsLost: number;
  readonly beatRequests: number;
  /** Runs a slot of a worker, against the mean of the fleet: 5 % and 95 % of the workers. */
  readonly loadLow: number;
  readonly loadHigh: number;
  readonly lateMs: { readonly p50: number; readonly p99: number; readonly most: number };
}

const keys = createKeys('/cron');
const lagMs = 3;
const slotsInAll = 12_000;
/** Until the minute begins, for beats to spread. */
const leadMs = 30_000;
const dueMs = 60_000;
/** For what came due last to run and end. */
const afterMs = 10_000;
const tiers = 4;
const namesOfFires = new Set(['claimTick', 'completeRun', 'writeOff']);

export async function simulateScale(
  workerCount: number,
  jobCount: number,
  seed: number,
  progress: (what: string) => void,
): Promise<ScaleRow> {
  return new Scale(workerCount, jobCount, seed, progress).run();
}

class Scale {
  readonly #time = new SimTime(Date.UTC(2027, 0, 15, 8, 0, 30));
  readonly #store = new EtcdStore();
  readonly #view = new MeshView(keys);
  readonly #workers: ScaleWorker[];
  readonly #jobs: readonly string[];
  readonly #random: SeededRandom;
  readonly #progress: (what: string) => void;
  readonly #started = new Map<string, number>();
  readonly #lateMs: number[] = [];
  readonly #counts = { requests: 0, writes: 0, lost: 0, beats: 0 };
  readonly #order: RankOrder;

  constructor(workers: number, jobs: number, seed: number, progress: (what: string) => void) {
    this.#progress = progress;
    this.#random = new SeededRandom(seed);
    this.#jobs = Array.from({ length: jobs }, (_, i) => `job-${i + 1}`);
    const parts: ScaleParts = {
      keys,
      time: this.#time,
      store: this.#store,
      view: this.#view,
      witness: { applied: (txn, result) => this.#count(txn, result), answered: () => undefined },
      onStart: (_, tick) => void this.#lateMs.push(this.#time.trueWallMs - tick),
    };
    const draw = this.#random.stream('machines');
    this.#workers = Array.from({ length: workers }, (_, i) => {
      // Half as many slots as others, or twice: load has to follow.
      const share = workers === 1 ? 1 : ([0.5, 1, 1.5] as const)[i % 3];
      const slots = Math.max(1, Math.round((slotsInAll / workers) * (share ?? 1)));
      // As a time service keeps them.
      const offsetMs = draw.between(-20, 20);
      return new ScaleWorker(parts, `w${i + 1}`, slots, offsetMs, this.#random.stream(`w${i + 1}`));
    });
    this.#order = new RankOrder(this.#workers);
  }

  async run(): Promise<ScaleRow> {
    this.#fill();
    this.#store.onCommit((commit) => {
      for (const { key, kv, previous } of commit.events) {
        if (kv === undefined || previous !== undefined || !key.startsWith('/cron/lock/')) continue;
        this.#started.set(key, (this.#started.get(key) ?? 0) + 1);
      }
      this.#time.after(lagMs, () => this.#view.events(commit.told('/cron/'), commit.revision));
    });
    this.#beats();
    for (const [index, name] of this.#jobs.entries()) this.#due(name, index % 60);
    const endMs = leadMs + dueMs + afterMs;
    for (let second = 5; second * 1_000 <= endMs; second += 5) {
      await this.#time.run(second * 1_000);
      // What is past is of no use to anybody, and would be kept.
      this.#store.compact(this.#store.revision);
      this.#progress(
        `${this.#workers.length} workers: ${second} of ${endMs / 1_000} s, ${this.#lateMs.length} runs started`,
      );
    }
    return this.#row();
  }

  #fill(): void {
    for (const worker of this.#workers) worker.register();
    for (const [index, name] of this.#jobs.entries()) {
      const cronExpr = `${index % 60} * * * * *`;
      const schedule = parseSchedule(cronExpr, 'UTC').canonical;
      // Nothing is due before the minute.
      const tick = this.#time.originMs + leadMs - 1;
      const text = JSON.stringify({ name, cronExpr, command: 'true' });
      this.#store.txn({
        compare: [],
        success: [
          { put: { key: keys.job(name), value: text } },
          { put: { key: keys.cursor(name), value: encodeCursor({ tick, schedule }) } },
        ],
        failure: [],
      });
      if (index % 5_000 === 0) this.#store.compact(this.#store.revision);
    }
    this.#view.reset();
    this.#view.items(this.#store.withPrefix('/cron/'));
    this.#view.synced(this.#store.revision);
    this.#view.connected(true);
  }

  #beats(): void {
    const everyMs = (sessionTtlSeconds * 1_000) / 4;
    for (const worker of this.#workers) {
      const beat = (): void => {
        this.#counts.beats += 2;
        void worker.beat();
        this.#time.after(everyMs, beat);
      };
      this.#time.after(this.#random.between(0, everyMs), beat);
    }
  }

  /** The job is due once in the minute from the next full one on. */
  #due(name: string, second: number): void {
    const tick = this.#time.originMs + leadMs + second * 1_000;
    // Early enough for a clock that is ahead; the order is that of the beats seen then.
    this.#time.after(tick - this.#time.originMs - 400, () => {
      this.#wake(name, tick, this.#order.turns(name, String(tick), this.#view, tick));
    });
  }

  #wake(name: string, tick: number, turns: Iterator<Turn>): void {
    const next = turns.next();
    if (next.done === true) return;
    const { worker, atMs } = next.value;
    this.#time.after(atMs - this.#time.trueWallMs, () => {
      const part = this.#view.part(name);
      if (part === undefined || (part.cursor?.cursor?.tick ?? 0) >= tick) return;
      const decision = worker.look(part);
      const isEarly = decision.kind === 'wait' && decision.untilMs !== undefined;
      // Its own order is a little newer than the one that it was woken by.
      if (isEarly) this.#again(worker, name, tick, decision.untilMs);
      this.#wake(name, tick, turns);
    });
  }

  #again(worker: ScaleWorker, name: string, tick: number, untilMs: number): void {
    worker.process.clock.after(untilMs - worker.process.clock.wallMs(), () => {
      const part = this.#view.part(name);
      if (part !== undefined && (part.cursor?.cursor?.tick ?? 0) < tick) worker.look(part);
    });
  }

  #count(txn: Txn, result: TxnResult): void {
    let isOfFires = false;
    for (const isDone of ofFires(txn, result)) {
      isOfFires = true;
      if (isDone) this.#counts.writes++;
      else this.#counts.lost++;
    }
    if (isOfFires) this.#counts.requests++;
  }

  #row(): ScaleRow {
    const loads = this.#workers.map(({ starts, slots }) => starts / slots);
    const slots = this.#workers.reduce((sum, worker) => sum + worker.slots, 0);
    const mean = this.#lateMs.length / slots;
    const late = quantiles(this.#lateMs);
    const load = quantiles(loads);
    return {
      workers: this.#workers.length,
      fires: this.#jobs.length,
      started: this.#started.size,
      twice: [...this.#started.values()].filter((times) => times > 1).length,
      requests: this.#counts.requests,
      writes: this.#counts.writes,
      claimsLost: this.#counts.lost,
      beatRequests: this.#counts.beats,
      loadLow: load(0.05) / mean,
      loadHigh: load(0.95) / mean,
      lateMs: { p50: late(0.5), p99: late(0.99), most: late(1) },
    };
  }
}

interface Scored {
  readonly worker: ScaleWorker;
  readonly score: number;
}

interface Turn {
  readonly worker: ScaleWorker;
  /** True wall time of its turn. */
  readonly atMs: number;
}

/**
 * Who is woken first: the order of scores, which each worker works out once more by the product's own
 * code before it acts. A wrong order here would cost lateness, and be seen.
 */
class RankOrder {
  readonly #workers: readonly ScaleWorker[];

  constructor(workers: readonly ScaleWorker[]) {
    this.#workers = workers;
  }

  *turns(job: string, subject: string, view: MeshView, tick: number): Generator<Turn> {
    const best: Scored[] = [];
    for (const worker of this.#workers) {
      const beat = view.snapshot.workers.get(worker.id)?.value;
      const weight = Math.max((beat?.slots ?? 0) - (beat?.running ?? 0), 0.01);
      const uniform = (hash32(`${worker.id}\0${job}\0${subject}`) + 0.5) / 4_294_967_296;
      const score = -weight / Math.log(uniform);
      if (best.length === tiers && score <= (best.at(-1)?.score ?? 0)) continue;
      let at = best.length;
      while (at > 0 && (best[at - 1]?.score ?? 0) < score) at--;
      best.splice(at, 0, { worker, score });
      if (best.length > tiers) best.pop();
    }
    const turns = best.map(({ worker }, rank) => turnOf(worker, tick, rank));
    yield* turns.sort((a, b) => a.atMs - b.atMs);
    // All others have the same turn; hardly ever is anybody of them asked.
    const known = new Set(best.map(({ worker }) => worker));
    const others = this.#workers.filter((worker) => !known.has(worker));
    yield* others.map((worker) => turnOf(worker, tick, tiers)).sort((a, b) => a.atMs - b.atMs);
  }
}

function turnOf(worker: ScaleWorker, tick: number, rank: number): Turn {
  // A clock of whole milliseconds shows it a moment later.
  return { worker, atMs: tick + rank * staggerMs - worker.process.machine.wallOffsetMs + 1 };
}

/** Transactions of fires, however deep they are nested, and whether they were done. */
function* ofFires(txn: Txn, result: TxnResult): Generator<boolean> {
  if (namesOfFires.has(nameOf(txn))) {
    yield result.succeeded;
    return;
  }
  const ops = result.succeeded ? txn.success : txn.failure;
  for (const [index, op] of ops.entries()) {
    const answer = result.results[index];
    if ('txn' in op && answer?.kind === 'txn') yield* ofFires(op.txn, answer.result);
  }
}

function quantiles(values: readonly number[]): (share: number) => number {
  const sorted = values.toSorted((a, b) => a - b);
  return (share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
}

export const scaleHead: readonly string[] = [
  '| workers | fires | started | twice | writes a fire | requests a fire | claims lost | load by slots, 5 % to 95 % | late p50 | p99 | most | requests of sessions a second |',
  '| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |',
];

export function scaleLine(row: ScaleRow): string {
  const per = (count: number): string => (count / row.fires).toFixed(3);
  const ms = (value: number): string => `${value.toFixed(0)} ms`;
  const seconds = (leadMs + dueMs + afterMs) / 1_000;
  const cells = [
    row.workers,
    row.fires,
    row.started,
    row.twice,
    per(row.writes),
    per(row.requests),
    row.claimsLost,
    `${row.loadLow.toFixed(2)} to ${row.loadHigh.toFixed(2)}`,
    ms(row.lateMs.p50),
    ms(row.lateMs.p99),
    ms(row.lateMs.most),
    (row.beatRequests / seconds).toFixed(1),
  ];
  return `| ${cells.join(' | ')} |`;
}

/** 1, 10, 100 … and as many as asked for; each tells its line as soon as it is known. */
export async function runScale(
  most: number,
  jobs: number,
  seed: number,
  say: (line: string) => void,
  progress: (what: string) => void,
): Promise<number> {
  const sizes: number[] = [];
  for (let size = 1; size < most; size *= 10) sizes.push(size);
  sizes.push(most);
  for (const line of scaleHead) say(line);
  let isWhole = true;
  for (const size of sizes) {
    const row = await simulateScale(size, jobs, seed, progress);
    say(scaleLine(row));
    isWhole &&= row.twice === 0 && row.started === row.fires;
  }
  return isWhole ? 0 : 1;
}
