/**
 * Floods, on whole workers: 100 MB of output, one line of 50 MB, a spool whose disk is full to the
 * last byte while the store is down. Memory grows by 64 MiB at most, what is cut off is marked as such,
 * claims are refused instead of a crash, and the fires of other jobs keep their time.
 */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import type { HistoryRow } from '../../shared/history/records.ts';
import { audit, firstCommonTick, quiet } from '../support/audit.ts';
import { readMemoryMib, resetPeakMemory, theGuardian } from '../support/executor-rig.ts';
import { assertNoneMissing, reportAudit } from '../support/fault-report.ts';
import { sized } from '../support/fault-size.ts';
import { forSeconds, lateness, untilWall } from '../support/fault-time.ts';
import { withMesh, type TestMesh } from '../support/mesh.ts';
import { startMongo } from '../support/mongo-server.ts';
import { noteRun, readOracle } from '../support/oracle.ts';
import { waitFor } from '../support/server-process.ts';
import { mountSmallDisk, type SmallDisk } from '../support/small-disk.ts';

const mebibyte = 1024 * 1024;
const boundMib = 64;
const wholeBoundMib = 160;
const droppedMarker = '[output dropped: spool full]\n';
const beats = ['beat-1', 'beat-2', 'beat-3'];

interface Flood {
  readonly name: string;
  readonly command: string;
  readonly bytes: number;
  readonly keptBytes: number;
}

const lines = (bytes: number): string =>
  `yes 'a line of output, of sixty-four bytes, as a log has it ........' | head -c ${bytes}`;
const floods: readonly Flood[] = [
  { name: '100 MB', command: lines(100_000_000), bytes: 100_000_000, keptBytes: 8 * mebibyte },
  {
    name: 'line of 50 MB',
    command: `head -c 50000000 /dev/zero | tr '\\0' x`,
    bytes: 50_000_000,
    keptBytes: 8 * mebibyte,
  },
];
/** What a job that asks for it may keep at most: what waits for disk and store is bounded, not small. */
const wholeBytes = sized(100_000_000, 256 * mebibyte);
const whole: Flood = {
  name: `${Math.round(wholeBytes / 1e6)} MB kept whole`,
  command: lines(wholeBytes),
  bytes: wholeBytes,
  keptBytes: wholeBytes,
};

async function putBeats(mesh: TestMesh): Promise<void> {
  for (const name of beats) {
    await mesh.putJob({
      name,
      command: noteRun(mesh.oracle, 'echo beat'),
      cronExpr: '* * * * * *',
      concurrency: 'allow',
    });
  }
  await waitFor(
    () => new Set(readOracle(mesh.oracle).map(({ job }) => job)).size === beats.length,
    {
      timeoutMs: 20_000,
      describe: () => 'every beat',
    },
  );
}

/** Lets a job fire once; resolves with its row once it has ended. */
async function runOnce(mesh: TestMesh, flood: Flood, name: string): Promise<HistoryRow> {
  await mesh.putJob({
    name,
    command: flood.command,
    cronExpr: '* * * * * *',
    maxOutputBytes: Math.max(flood.keptBytes, 8 * mebibyte),
  });
  await waitFor(async () => (await mesh.list(`lock/${name}/`)).length > 0, {
    timeoutMs: 20_000,
    intervalMs: 5,
    describe: () => `${name} to run`,
  });
  await mesh.deleteKey(mesh.keys.job(name));
  const store = await mesh.store();
  return waitFor(
    async () => {
      const { items } = await store.listRuns({ limit: 10, jobs: [name] });
      return items.find(({ kind, outcome }) => kind === 'run' && outcome !== undefined);
    },
    { timeoutMs: 60_000, intervalMs: 100, describe: () => `the end of ${name} in history` },
  );
}

interface Kept {
  readonly bytes: number;
  /** The worker says at its end that it dropped the rest, for its disk did not keep up. */
  readonly isMarked: boolean;
}

async function kept(mesh: TestMesh, runId: string): Promise<Kept> {
  const store = await mesh.store();
  let bytes = 0;
  let isMarked = false;
  for (;;) {
    const chunks = await store.readOutput(runId, bytes, 4 * mebibyte);
    const last = chunks.at(-1);
    if (last === undefined || last.offset + last.data.length === bytes) return { bytes, isMarked };
    assert.ok((chunks[0]?.offset ?? bytes) <= bytes, 'no gap in what was kept');
    bytes = last.offset + last.data.length;
    isMarked = last.data.toString('latin1').endsWith(droppedMarker);
  }
}

/** Peaks of worker and guardian since `reset`, beyond what they held then. */
class Memory {
  readonly #pids: readonly number[];
  #heldMib: readonly number[] = [];

  constructor(workerPid: number) {
    this.#pids = [workerPid, theGuardian(workerPid)];
  }

  reset(): void {
    for (const pid of this.#pids) resetPeakMemory(pid, writeFileSync);
    this.#heldMib = this.#pids.map((pid) => readMemoryMib(pid, 'VmRSS'));
  }

  /** Worker, then guardian. */
  get grownMib(): readonly number[] {
    return this.#pids.map((pid, index) =>
      Math.round(readMemoryMib(pid, 'VmHWM') - (this.#heldMib[index] ?? 0)),
    );
  }
}

const sum = (numbers: readonly number[]): number =>
  numbers.reduce((total, each) => total + each, 0);

describe('floods', { concurrency: false }, () => {
  it('of output: 100 MB, and one line of 50 MB', { timeout: 300_000 }, async (t) => {
    await withMesh({}, async (mesh) => {
      await mesh.startWorkers(['w1']);
      await putBeats(mesh);
      const worker = mesh.workers.get('w1');
      assert.ok(worker);
      const memory = new Memory(worker.pid);
      const warm = { name: 'warm', command: lines(3_000_000), bytes: 0, keptBytes: 3_000_000 };
      await runOnce(mesh, warm, 'warm');
      const from = firstCommonTick(readOracle(mesh.oracle));
      const grown: string[] = [];
      const most = new Map<Flood, number>();
      const flood = async (each: Flood, name: string): Promise<void> => {
        memory.reset();
        const row = await runOnce(mesh, each, name);
        most.set(each, Math.max(most.get(each) ?? 0, sum(memory.grownMib)));
        grown.push(`${each.name} ${memory.grownMib.join(' + ')}`);
        assert.equal(row.outcome, 'succeeded');
        assert.equal(row.outputBytes, each.bytes);
        const { bytes, isMarked } = await kept(mesh, row.id);
        if (isMarked) grown.push(`(${Math.round(bytes / 1e6)} MB of it, the disk was too slow)`);
        else {
          const markerBytes = bytes - each.keptBytes;
          const isCut = each.keptBytes < each.bytes;
          // Of what is cut the beginning and the end are there, with a line between that says so.
          assert.ok(isCut ? markerBytes > 0 && markerBytes < 200 : markerBytes === 0, each.name);
        }
        assert.equal(row.outputTruncated, isMarked || each.keptBytes < each.bytes);
      };
      for (let round = 0; round < sized(1, 5); round++) {
        for (const [index, each] of floods.entries()) await flood(each, `flood-${round}-${index}`);
      }
      await flood(whole, 'whole');
      const to = Math.floor(Date.now() / 1_000) * 1_000;
      await forSeconds(2);
      await quiet(mesh, beats);
      const found = await audit(mesh, { jobs: beats, from, to });
      const { p50, p99 } = lateness(readOracle(mesh.oracle));
      const note = `peak MiB above start, worker and guardian: ${grown.join(', ')}; lateness of others p50/p99 ${p50}/${p99} ms`;
      reportAudit(t, 'floods of output', found, note);
      for (const [each, mib] of most) {
        assert.ok(mib <= (each === whole ? wholeBoundMib : boundMib), `${each.name}: ${mib} MiB`);
      }
      assertNoneMissing(found);
    });
  });

  it('of a spool on a disk that is full to the last byte', { timeout: 300_000 }, async (t) => {
    let disk: SmallDisk;
    try {
      disk = await mountSmallDisk('32m');
    } catch (error) {
      t.skip(`SKIPPED: ${String(error)}`);
      return;
    }
    const mongo = await startMongo();
    try {
      await withMesh({ history: mongo.databaseUrl('flood') }, async (mesh) => {
        const data = path.join(disk.folder, 'w1');
        await mesh.startWorkers(['w1'], { flags: ['--data', data] });
        const worker = mesh.workers.get('w1');
        assert.ok(worker);
        await putBeats(mesh);
        const from = firstCommonTick(readOracle(mesh.oracle));
        const memory = new Memory(worker.pid);
        const warm = { name: 'warm', command: lines(3_000_000), bytes: 0, keptBytes: 3_000_000 };
        await runOnce(mesh, warm, 'warm');
        memory.reset();
        await mongo.kill();
        await mesh.putJob({
          name: 'flood',
          command: `${lines(4_000_000)}; sleep 3`,
          cronExpr: '* * * * * *',
          concurrency: 'allow',
        });
        const blocked = await waitFor(
          async () => {
            const found = await mesh.registration('w1');
            return found?.state === 'blocked' ? found : undefined;
          },
          { timeoutMs: 40_000, intervalMs: 100, describe: () => 'the worker to refuse claims' },
        );
        disk.fill();
        const fullAt = Date.now();
        await untilWall(fullAt + sized(6, 30) * 1_000);
        const startsWhileFull = readOracle(mesh.oracle).filter(({ atMs }) => atMs > fullAt + 1_000);
        assert.ok(worker.running, `the worker lives; ${worker.output.slice(-1000)}`);
        const reasons = (await mesh.registration('w1'))?.reasons.join() ?? '';
        disk.empty();
        await mesh.deleteKey(mesh.keys.job('flood'));
        await mongo.start();
        await mesh.ready(['w1']);
        const to = Math.floor(Date.now() / 1_000) * 1_000;
        await waitFor(() => readOracle(mesh.oracle).some(({ tick }) => tick > to + 1_000), {
          timeoutMs: 20_000,
          describe: () => 'beats after the flood',
        });
        const grownMib = sum(memory.grownMib);
        await quiet(mesh, [...beats, 'flood']);
        const found = await audit(mesh, { jobs: beats, from, to });
        const dropped = (await floodEnds(mesh)).filter(({ truncated }) => truncated);
        assert.ok(
          dropped.every(({ marked }) => marked),
          'what was dropped is marked',
        );
        const note = `refused: ${blocked.reasons.join()}, then ${reasons}; starts while full ${startsWhileFull.length}, runs with marked gaps ${dropped.length}, peak ${grownMib} MiB above start`;
        reportAudit(t, 'spool on a full disk', found, note);
        assert.deepEqual(startsWhileFull, [], 'claims are refused');
        assert.ok(grownMib <= boundMib, `${grownMib} MiB`);
      });
    } finally {
      await mongo.stop();
      await disk.stop();
    }
  });
});

/** Of each run of the flood, whether its output was cut, and whether the end of it says so. */
async function floodEnds(mesh: TestMesh): Promise<{ truncated: boolean; marked: boolean }[]> {
  const rows = (await mesh.rows()).filter(({ job, kind }) => job === 'flood' && kind === 'run');
  const store = await mesh.store();
  return Promise.all(
    rows.map(async (row) => {
      const chunks = await store.readOutput(row.id, 0, 16 * mebibyte);
      const text = chunks.at(-1)?.data.toString('latin1') ?? '';
      return {
        truncated: row.outputTruncated === true,
        marked: text.endsWith(droppedMarker) || chunks.length === 0,
      };
    }),
  );
}
