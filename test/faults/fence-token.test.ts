/**
 * What outlives every fence is refused where it writes: a worker, its guardian and its run stand
 * still together, as on a machine that is suspended, for longer than the lease; a survivor settles the
 * run and the next one writes. Then the old run goes on first, before its guardian can have its turn,
 * and writes by the statements that docs/policies.md teaches.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import Database from 'libsql';
import { packageRoot } from '../../shared/package-root.ts';
import { withMesh } from '../support/mesh.ts';
import { noteRun, readOracle, type OracleLine } from '../support/oracle.ts';
import { waitFor } from '../support/server-process.ts';

const ttlMs = 5_000;
const refusedExitCode = 75;

/** The two statements of the example: the table, and the write that a fence guards. */
function statementsOfTheDocs(): readonly [create: string, write: string] {
  const text = readFileSync(path.join(packageRoot(), 'docs/policies.md'), 'utf8');
  const [create, write] = [...text.matchAll(/```sql\n([\s\S]*?)```/g)].map((match) => match[1]);
  assert.ok(create !== undefined && write !== undefined, 'docs/policies.md has both statements');
  return [create, write];
}

/** A command that waits for `gate`, then writes its fence into the database as the docs say. */
function writerCommand(folder: string, oracle: string, gate: string): string {
  const script = path.join(folder, 'write-report.mjs');
  const [create, write] = statementsOfTheDocs();
  writeFileSync(
    script,
    `import { createRequire } from 'node:module';
const Database = createRequire(${JSON.stringify(import.meta.url)})('libsql');
const db = new Database(${JSON.stringify(path.join(folder, 'report.db'))});
db.pragma('busy_timeout = 5000');
db.exec(${JSON.stringify(create)});
const { changes } = db.prepare(${JSON.stringify(write)}).run({
  name: 'daily', body: 'by ' + process.env.CRON_RUN_ID, fence: Number(process.env.CRON_FENCE),
});
process.exit(changes === 1 ? 0 : ${refusedExitCode});
`,
  );
  const note = (what: string): string => noteRun(oracle, ':', what);
  return `${note('begun')}
while [ ! -e ${gate} ]; do sleep 0.02; done
if ${process.execPath} ${script}; then ${note('written')}; else code=$?; ${note('refused')}; exit $code; fi`;
}

/** The process and all that descend from it. */
function treeOf(pid: number): number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      const [, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      parents.set(Number(name), Number(parent));
    } catch {
      // It ended while the table was read.
    }
  }
  const tree = [pid];
  for (const member of tree) {
    for (const [child, parent] of parents) if (parent === member) tree.push(child);
  }
  return tree;
}

function signalAll(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch {
      // Gone already.
    }
  }
}

function environmentOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8');
  } catch {
    return '';
  }
}

describe('a run that outlives its fence', () => {
  it('is refused by a store that compares CRON_FENCE', async (t) => {
    await withMesh({}, async (mesh) => {
      await mesh.startWorkers(['w1']);
      const gate = path.join(mesh.folder, 'gate');
      const lines = (what: string): OracleLine[] =>
        readOracle(mesh.oracle).filter((line) => line.what === what);
      await mesh.putJob({
        name: 'daily-report',
        command: writerCommand(mesh.folder, mesh.oracle, gate),
        cronExpr: '* * * * * *',
        concurrency: 'forbid',
      });
      const old = await waitFor(() => lines('begun')[0], {
        timeoutMs: 20_000,
        describe: () => 'the first run',
      });
      await mesh.startWorkers(['w2']);

      const machine = treeOf(mesh.workers.get('w1')?.pid ?? 0);
      const run = machine.filter((pid) => environmentOf(pid).includes(old.runId));
      assert.ok(run.length > 0, 'the run is in the tree of its worker');
      signalAll(machine, 'SIGSTOP');
      const frozenAt = Date.now();
      writeFileSync(gate, '');
      const next = await waitFor(() => lines('written')[0], {
        timeoutMs: ttlMs + 20_000,
        describe: () => 'the next run to write',
      });
      assert.notEqual(next.runId, old.runId);
      assert.ok(next.fence > old.fence, `${next.fence} is after ${old.fence}`);

      // The machine goes on, and the run has its turn before its guardian has.
      signalAll(run, 'SIGCONT');
      const refused = await waitFor(() => lines('refused')[0], {
        timeoutMs: 10_000,
        describe: () => 'the old run to be refused',
      });
      assert.equal(refused.runId, old.runId);
      signalAll(machine, 'SIGCONT');
      await mesh.ready(['w1', 'w2']);

      const store = await mesh.store();
      const row = await waitFor(async () => (await store.getRun(old.runId)) ?? undefined, {
        timeoutMs: 10_000,
        describe: () => 'the row of the old run',
      });
      assert.equal(row.outcome, 'lost', 'the verdict stands');
      assert.equal(lines('refused').length, 1, 'nobody else is refused');
      assert.ok(
        lines('written').every(({ runId }) => runId !== old.runId),
        'the old run wrote nothing',
      );
      assert.ok(reportFence(mesh.folder) >= next.fence);
      t.diagnostic(
        `frozen ${refused.atMs - frozenAt} ms; fence ${old.fence} refused after ${next.fence}`,
      );
    });
  });
});

function reportFence(folder: string): number {
  const db = new Database(path.join(folder, 'report.db'));
  const row: unknown = db.prepare("SELECT fence FROM report WHERE name = 'daily'").get();
  db.close();
  assert.ok(typeof row === 'object' && row !== null && 'fence' in row);
  return Number(row.fence);
}
