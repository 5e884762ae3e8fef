/** How people of a simulation kill: one run, every run of a job, by the protocol and by hand. */
import type { Txn, TxnResult } from '../../shared/etcd/port.ts';
import { createKeys } from '../../shared/protocol/keys.ts';
import { orderKill } from '../../shared/protocol/kill.ts';
import { decodeValue, encodeValue, fireSchema } from '../../shared/protocol/values.ts';
import type { SeededRandom } from './seeded-random.ts';
import type { SimEtcd } from './sim-etcd.ts';
import type { Story } from './story.ts';

interface HumanOrdersOptions {
  readonly name: string;
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

  async #order(name: string, target: { runId: string; fireId: string } | undefined): Promise<void> {
    const { random, story } = this.#options;
    const by = this.#sign();
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
