/**
 * What people of a simulation do through a master: the real JobEditor and RunRequests, over the network
 * of that person. What they refuse (it was changed meanwhile, there is none, it is not valid) is what a
 * person hears and lives with.
 */
import { parseJob } from '../../shared/job/parse-job.ts';
import { createKeys } from '../../shared/protocol/keys.ts';
import { Refusal } from '../../master/http/reply.ts';
import { JobEditor } from '../../master/jobs/job-editor.ts';
import { RunRequests } from '../../master/jobs/run-requests.ts';
import type { Ledger } from './ledger.ts';
import type { SeededRandom } from './seeded-random.ts';
import type { SimEtcd } from './sim-etcd.ts';
import type { SimProcess } from './sim-process.ts';
import type { Story } from './story.ts';

interface MasterDeedsOptions {
  readonly name: string;
  readonly process: SimProcess;
  readonly etcd: SimEtcd;
  readonly ledger: Ledger;
  readonly random: SeededRandom;
  readonly story: Story;
}

export class MasterDeeds {
  readonly #options: MasterDeedsOptions;
  readonly #editor: JobEditor;
  readonly #requests: RunRequests;

  constructor(options: MasterDeedsOptions) {
    const { etcd, process, random } = options;
    const keys = createKeys('/cron');
    this.#options = options;
    this.#editor = new JobEditor(etcd, keys, process.clock);
    this.#requests = new RunRequests(etcd, keys, this.#editor, process.clock, random.next);
  }

  /** Undefined deletes it. `base` is the revision that the person saw, 0: none. */
  async save(name: string, text: string | undefined, base: number): Promise<void> {
    const seen = { kind: 'revisions', revisions: new Set([base]) } as const;
    await this.#asked(`${text === undefined ? 'deletes' : 'edits'} ${name}`, async () => {
      if (text === undefined) await this.#editor.delete(name, seen);
      else
        await this.#editor.put(parseJob(JSON.parse(text)), base === 0 ? { kind: 'absent' } : seen);
    });
  }

  async setEnabled(name: string, enabled: boolean): Promise<void> {
    await this.#asked(`${enabled ? 'resumes' : 'pauses'} ${name}`, async () => {
      await this.#editor.setEnabled(name, enabled, { kind: 'present' });
    });
  }

  /** An impatient person asks again at once; it is the same request, and has the same answer. */
  async run(name: string, key: string, isImpatient: boolean): Promise<void> {
    await this.#asked(`triggers ${name}`, async () => {
      const first = await this.#requests.run(name, this.#options.name, key);
      if (!isImpatient) return;
      const second = await this.#requests.run(name, this.#options.name, key);
      if (second.triggerId !== first.triggerId) {
        this.#options.ledger.orders.noteTwoAnswers(name);
      }
    });
  }

  async kill(
    name: string,
    target: { readonly runId: string; readonly fireId: string } | undefined,
    by: string,
    graceSeconds: number,
  ): Promise<void> {
    await this.#asked(
      `orders the end of ${target?.runId ?? `every run of ${name}`} as ${by}`,
      () =>
        target === undefined
          ? this.#requests.killAll(name, by, graceSeconds)
          : this.#requests.killRun(name, target, by, graceSeconds),
    );
  }

  async #asked(what: string, deed: () => Promise<unknown>): Promise<void> {
    const { name, story } = this.#options;
    try {
      await deed();
      story.tell(name, `through a master, ${what}`);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      story.detail(name, `is refused: ${error.message}`);
    }
  }
}
