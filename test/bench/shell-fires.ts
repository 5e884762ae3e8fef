/** Shell jobs on a mesh of real workers that are all due once, in one and the same second. */
import { prefixEnd } from '../../shared/etcd/port.ts';
import type { TestMesh } from '../support/mesh.ts';
import { waitFor } from '../support/server-process.ts';

/** Time for the definitions to be written and adopted before they are due. */
const leadMs = 4_000;

/** Puts `count` jobs named `<label>-<i>`; answers when they are due. */
export async function putDueJobs(
  mesh: TestMesh,
  label: string,
  count: number,
  command: string,
): Promise<number> {
  const due = new Date(Math.ceil((Date.now() + leadMs + count) / 1_000) * 1_000);
  const cronExpr = `${due.getUTCSeconds()} ${due.getUTCMinutes()} ${due.getUTCHours()} ${due.getUTCDate()} ${due.getUTCMonth() + 1} * ${due.getUTCFullYear()}`;
  await putJobs(mesh, label, count, { command, cronExpr, startDeadlineSeconds: 600 });
  return due.getTime();
}

export async function putJobs(
  mesh: TestMesh,
  label: string,
  count: number,
  job: Readonly<Record<string, unknown>>,
): Promise<void> {
  for (let i = 0; i < count; i += 100) {
    await mesh.etcd.txn({
      compare: [],
      success: Array.from({ length: Math.min(100, count - i) }, (_, offset) => {
        const name = `${label}-${i + offset}`;
        return { put: { key: mesh.keys.job(name), value: JSON.stringify({ name, ...job }) } };
      }),
      failure: [],
    });
  }
}

/** Resolves when every job of the label has a run behind it. */
export async function allEnded(mesh: TestMesh, label: string, count: number): Promise<void> {
  const key = mesh.keys.state(`${label}-`);
  await waitFor(
    async () =>
      (await mesh.etcd.range({ key, rangeEnd: prefixEnd(key), countOnly: true })).count >= count,
    { timeoutMs: 600_000, intervalMs: 50, describe: () => `${count} ended runs` },
  );
}
