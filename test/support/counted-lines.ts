/**
 * Runs whose output is counted on both sides: each writes lines with their numbers and its own id, and
 * notes itself outside the mesh; history must then have each line of each run once.
 */
import assert from 'node:assert/strict';
import type { HistoryRow } from '../../shared/history/records.ts';
import type { TestMesh } from './mesh.ts';
import { noteRun, readOracle } from './oracle.ts';
import { waitFor } from './server-process.ts';

export const linesARun = 20;

/** Jobs that are due every second. */
export async function putCountingJobs(mesh: TestMesh, jobs: readonly string[]): Promise<void> {
  const body = `i=0; while [ $i -lt ${linesARun} ]; do echo "line $i of $CRON_RUN_ID"; i=$((i+1)); done`;
  const command = noteRun(mesh.oracle, body);
  for (const name of jobs) {
    await mesh.putJob({ name, command, cronExpr: '* * * * * *', concurrency: 'allow' });
  }
}

/** Waits until history has an end for every run that noted itself; resolves with their rows. */
export async function endedRuns(mesh: TestMesh): Promise<HistoryRow[]> {
  const lines = readOracle(mesh.oracle);
  return waitFor(
    async () => {
      const runs = (await mesh.rows()).filter(({ kind }) => kind === 'run');
      const ended = runs.filter(({ outcome }) => outcome !== undefined);
      return ended.length >= lines.length ? runs : undefined;
    },
    {
      timeoutMs: 60_000,
      intervalMs: 500,
      describe: () => `${lines.length} ended runs in history`,
    },
  );
}

/** Of these rows, how many have lines lost or twice. */
export async function countWrongRuns(mesh: TestMesh, rows: readonly HistoryRow[]): Promise<number> {
  let wrong = 0;
  for (const row of rows) {
    const whole = Array.from({ length: linesARun }, (_, i) => `line ${i} of ${row.id}\n`);
    if ((await outputOf(mesh, row)) !== whole.join('')) wrong++;
  }
  return wrong;
}

async function outputOf(mesh: TestMesh, row: HistoryRow): Promise<string> {
  const store = await mesh.store();
  const chunks = await store.readOutput(row.id, 0, 100_000);
  let end = 0;
  for (const { offset, data } of chunks) {
    assert.equal(offset, end, 'chunks neither overlap nor leave a gap');
    end += data.length;
  }
  return Buffer.concat(chunks.map(({ data }) => data)).toString();
}
