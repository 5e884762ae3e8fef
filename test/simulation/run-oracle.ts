/**
 * Sees every simulated process start and end, at the true time of it: whatever the mesh believes, this
 * is what ran. Checks starts, overlaps and kills against the bookkeeping.
 */
import type { EndedBy, RunSpec } from '../../worker/executor/port.ts';
import { earlyBoundMs, freshMs } from './bounds.ts';
import type { FireBook } from './job-book.ts';
import type { Settlement } from './accounts.ts';
import type { Ledger } from './ledger.ts';
import type { RunWitness } from './sim-executor.ts';
import type { SimTime } from './sim-time.ts';
import type { Story } from './story.ts';
import type { Violations } from './violations.ts';

interface Running {
  readonly worker: string;
  readonly spec: RunSpec;
  readonly fire: FireBook | undefined;
  readonly startedMs: number;
  isKillAsked: boolean;
}

/** An order is obeyed within it: a slow watch, a slow network, a list that is read again. */
const obeyedWithinMs = 3_000;
/** And after trouble of the worker: a silent watch is noticed after 4 s. */
const recoveredWithinMs = 10_000;

export class RunOracle implements RunWitness {
  readonly #ledger: Ledger;
  readonly #time: SimTime;
  readonly #story: Story;
  readonly #violations: Violations;
  readonly #running = new Map<string, Running>();
  readonly #started = new Set<string>();
  starts = 0;
  /** Since when nothing ails that worker; Infinity when something does. */
  wellSinceMs: (worker: string) => number = () => Infinity;

  constructor(ledger: Ledger, time: SimTime, story: Story, violations: Violations) {
    this.#ledger = ledger;
    this.#time = time;
    this.#story = story;
    this.#violations = violations;
    ledger.onSettled = (fire, kind) => this.#settled(fire, kind);
  }

  get runningCount(): number {
    return this.#running.size;
  }

  started(worker: string, spec: RunSpec): void {
    const fire = this.#ledger.firesByRun.get(spec.runId);
    this.starts++;
    this.#story.tell(worker, `starts ${spec.job} ${fire?.fireId ?? '?'} run ${spec.runId}`);
    if (fire === undefined) {
      this.#bad('no start without a claim', spec, 'etcd knows no such claim');
      return;
    }
    if (!fire.isOpen) this.#bad('no start after its fire was settled', spec, `on ${worker}`);
    const key = `${fire.name}/${fire.origin}/${fire.attempt}/${fire.jobCreate}`;
    if (this.#started.has(key)) this.#bad('one run a fire', spec, `${key} is started twice`);
    this.#started.add(key);
    if (!fire.origin.startsWith('m') && fire.tick > this.#time.trueWallMs + earlyBoundMs) {
      const earlyMs = Math.round(fire.tick - this.#time.trueWallMs);
      this.#bad('no start before its tick', spec, `${earlyMs} ms early on ${worker}`);
    }
    this.#checkDefinition(fire, spec);
    this.#checkOverlap(worker, spec, fire);
    const startedMs = this.#time.nowMs;
    this.#running.set(spec.runId, { worker, spec, fire, startedMs, isKillAsked: false });
  }

  ended(worker: string, spec: RunSpec, how: EndedBy | 'worker-died'): void {
    this.#story.tell(worker, `ends ${spec.job} run ${spec.runId}: ${how}`);
    const running = this.#running.get(spec.runId);
    this.#running.delete(spec.runId);
    if (running !== undefined && (how === 'itself' || how === 'timeout'))
      this.#checkObeyed(running);
  }

  killAsked(worker: string, spec: RunSpec, reason: string): void {
    this.#story.tell(worker, `kills ${spec.job} run ${spec.runId}: ${reason}`);
    const running = this.#running.get(spec.runId);
    if (running !== undefined) running.isKillAsked = true;
    this.checkOrder(spec.runId, spec.job, reason);
  }

  /** `reason` as a run's end bears it. */
  checkOrder(runId: string, job: string, reason: string): void {
    const by = /^killed by (.+?)(?: before the start)?$/.exec(reason)?.[1];
    if (by === undefined) return;
    const fire = this.#ledger.firesByRun.get(runId);
    const signed = by === 'an order in etcd' ? undefined : by;
    const claim = {
      timeline: fire?.timeline ?? Infinity,
      revision: fire?.claimRevision ?? Infinity,
    };
    if (this.#ledger.orders.hits(job, runId, claim, signed)) return;
    this.#violations.report('an order hits only what it named', `${job} run ${runId}: ${reason}`);
  }

  /** The run was left to its own end, though there is an order against it that its worker can see. */
  #checkObeyed({ worker, spec, fire, startedMs, isKillAsked }: Running): void {
    if (isKillAsked || fire === undefined) return;
    const { orders } = this.#ledger;
    const sinceMs = orders.standsSinceMs(spec.job, spec.runId, fire.claimRevision);
    if (sinceMs === undefined) return;
    const wellMs = this.wellSinceMs(worker);
    const fromMs = Math.max(sinceMs, startedMs);
    const byMs =
      wellMs < fromMs ? fromMs + obeyedWithinMs : Math.max(fromMs, wellMs) + recoveredWithinMs;
    if (this.#time.nowMs <= byMs) return;
    const standsMs = Math.round(this.#time.nowMs - sinceMs);
    this.#bad('an order is obeyed', spec, `one stands for ${standsMs} ms, on ${worker}`);
  }

  #checkDefinition(fire: FireBook, spec: RunSpec): void {
    const book = this.#ledger.book(fire.name);
    if (fire.definition?.command !== spec.command) {
      this.#bad('a start is from the definition of its claim', spec, `it runs ${spec.command}`);
    }
    if (fire.timeline !== this.#ledger.timeline) return;
    const replacedAtMs = book.replacedAtMs(fire.claimRevision);
    if (replacedAtMs !== undefined && this.#time.nowMs - replacedAtMs > freshMs) {
      const lateMs = Math.round(this.#time.nowMs - replacedAtMs);
      this.#bad('no start from an old definition', spec, `it was replaced ${lateMs} ms before`);
    }
  }

  #checkOverlap(worker: string, spec: RunSpec, fire: FireBook): void {
    // One that may overlap and was settled while it ran on is not known to anybody any more.
    const others = [...this.#running.values()].filter(
      ({ spec: { job, guarded }, fire: held }) =>
        job === spec.job && (guarded || (held?.isOpen === true && !held.isForgotten)),
    );
    const where = others.map((other) => `${other.spec.runId} on ${other.worker}`).join(', ');
    // The newest claim among them had to respect the others, under the definition that it saw.
    const newest = others.reduce(
      (latest, other) =>
        (other.fire?.claimedAtMs ?? 0) > latest.claimedAtMs ? (other.fire ?? latest) : latest,
      fire,
    );
    const limit = newest.definition?.limit ?? 1;
    if (others.length >= limit) {
      this.#bad('never more running than the limit', spec, `on ${worker} while ${where}`);
    }
    const former = others.find(
      (other) => other.fire?.origin === fire.origin && other.fire.jobCreate === fire.jobCreate,
    );
    if (former !== undefined) this.#bad('attempts follow one another', spec, `while ${where}`);
  }

  #settled(fire: FireBook, kind: Settlement['kind']): void {
    this.#story.tell('etcd', `${fire.name} ${fire.fireId} run ${fire.runId} is settled: ${kind}`);
    const running = this.#running.get(fire.runId);
    if (running === undefined) return;
    if (kind !== 'lost') {
      this.#bad('a run that is settled has ended', running.spec, `settled as ${kind}`);
    } else if (running.spec.guarded) {
      this.#bad('a guarded run is dead when it is settled', running.spec, `on ${running.worker}`);
    }
  }

  #bad(invariant: string, spec: RunSpec, detail: string): void {
    this.#violations.report(invariant, `${spec.job} run ${spec.runId}: ${detail}`);
  }
}
