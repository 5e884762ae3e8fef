/**
 * How people of a simulation ask for a run and kill: one run, every run of a job; through a master, by
 * the protocol, and by hand. And how they meddle with a job's slots.
 */
import type { Txn, TxnResult } from '../../shared/etcd/port.ts';
import { sleep } from '../../shared/clock.ts';
import { createKeys } from '../../shared/protocol/keys.ts';
import { orderKill } from '../../shared/protocol/kill.ts';
import { requestTrigger } from '../../shared/protocol/trigger.ts';
import { decodeValue, encodeValue, fireSchema } from '../../shared/protocol/values.ts';
import { readDefinition } from './job-book.ts';
import type { Ledger } from './ledger.ts';
import type { MasterDeeds } from './master-deeds.ts';
import type { SeededRandom } from './seeded-random.ts';
import type { SimEtcd } from './sim-etcd.ts';
import type { SimProcess } from './sim-process.ts';
import type { Story } from './story.ts';

interface HumanOrdersOptions {
  readonly name: string;
  readonly process: SimProcess;
  readonly ledger: Ledger;
  readonly master: MasterDeeds;
  readonly etcd: SimEtcd;
  readonly random: SeededRandom;
  readonly story: Story;
  /** A lease that goes by itself. */
  lease(): Promise<string>;
  send(txn: Txn): Promise<TxnResult | undefined>;
}

const keys = createKeys('/cron');

export class HumanOrders {
  readonly #options: HumanOrdersOptions;
  #count = 0;

  constructor(options: HumanOrdersOptions) {
    this.#options = options;
  }

  async trigger(name: string): Promise<void> {
    const { process, etcd, random, ledger, story, master } = this.#options;
    if (random.chance(0.5)) {
      await master.run(name, this.#sign(), random.chance(0.3));
      return;
    }
    const [kv] = (await etcd.range({ key: keys.job(name) })).kvs;
    if (kv === undefined || readDefinition(kv, 0).isMalformed) return;
    const nowMs = process.clock.wallMs();
    const requestId = `${this.#options.name}-${++this.#count}`;
    const leaseId = await this.#options.lease();
    // An impatient person asks twice with the same request id.
    for (let time = random.chance(0.3) ? 2 : 1; time > 0; time--) {
      const triggerId = `m${nowMs}-${this.#options.name}-${++this.#count}`;
      ledger.noteRequest(triggerId, requestId);
      const result = await this.#options.send(
        requestTrigger({
          keys,
          name,
          jobCreateRevision: kv.createRevision,
          triggerId,
          trigger: {
            v: 1,
            cause: 'manual',
            tick: nowMs,
            notBefore: nowMs,
            expires: nowMs + random.pick([2_000, 20_000, 60_000]),
            attempt: 1,
            jobCreate: kv.createRevision,
          },
          requestId,
          leaseId,
        }),
      );
      if (result?.succeeded === true)
        story.tell(this.#options.name, `triggers ${name} ${triggerId}`);
    }
  }

  async named(name: string): Promise<void> {
    const { etcd, random } = this.#options;
    const open = await etcd.range(keys.fires(name));
    if (open.kvs.length === 0) return;
    const kv = random.pick(open.kvs);
    const fire = decodeValue(fireSchema, kv.value);
    if (fire === undefined) return;
    const fireId = kv.key.slice(keys.fires(name).key.length);
    await this.#order(name, { runId: fire.runId, fireId });
  }

  async all(name: string): Promise<void> {
    await this.#order(name, undefined);
  }

  async byHand(name: string): Promise<void> {
    const { random } = this.#options;
    const by = this.#sign();
    const value = random.chance(0.5) ? encodeValue({ by }) : 'stop it';
    await this.#options.send({
      compare: [],
      success: [{ put: { key: keys.killer(name), value } }],
      failure: [],
    });
    this.#options.story.tell(this.#options.name, `puts killer/${name} by hand: ${value}`);
  }

  /** A slot that no run holds; and often it is gone again when somebody is about to free it. */
  async slotByHand(name: string): Promise<void> {
    const { process, random, story } = this.#options;
    const key = keys.slot(name, random.integer(0, 1));
    const value = `of nobody ${this.#sign()}`;
    const put = await this.#options.send({
      compare: [{ key, target: 'create', op: '=', value: 0 }],
      success: [{ put: { key, value } }],
      failure: [],
    });
    if (put?.succeeded !== true) return;
    story.tell(this.#options.name, `puts ${key} by hand`);
    if (random.chance(0.3)) return;
    await sleep(process.clock, random.between(2_800, 4_200));
    const removed = await this.#options.send({
      compare: [{ key, target: 'value', op: '=', value }],
      success: [{ delete: { key } }],
      failure: [],
    });
    if (removed?.succeeded === true) story.tell(this.#options.name, `removes ${key} by hand`);
  }

  async #order(name: string, target: { runId: string; fireId: string } | undefined): Promise<void> {
    const { random, story } = this.#options;
    const by = this.#sign();
    if (random.chance(0.5)) {
      await this.#options.master.kill(name, target, by, random.pick([0, 1, 5]));
      return;
    }
    const txn = orderKill({
      keys,
      name,
      order: { by, graceSeconds: random.pick([0, 1, 5]) },
      leaseId: await this.#options.lease(),
      ...(target === undefined ? {} : { target }),
    });
    const result = await this.#options.send(txn);
    const what = target === undefined ? 'every run' : `run ${target.runId}`;
    if (result?.succeeded === true) {
      story.tell(this.#options.name, `orders the end of ${what} of ${name} as ${by}`);
    }
  }

  #sign(): string {
    return `${this.#options.name}-order-${++this.#count}`;
  }
}
