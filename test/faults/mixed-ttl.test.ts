/**
 * Workers of one fleet may have sessions of different lengths. A lease of a long one is revoked by
 * mistake while its worker is frozen: its no-overlap run lives until its own deadline, and survivors
 * with short sessions, also those that never saw that session, settle and start nothing before.
 */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { decodeValue, fireSchema, type FireValue } from '../../shared/protocol/values.ts';
import { reportFault } from '../support/fault-report.ts';
import { withMesh, type TestMesh } from '../support/mesh.ts';
import { noteRun, readOracle } from '../support/oracle.ts';
import { waitFor } from '../support/server-process.ts';

const longTtlMs = 20_000;

/** A run that lives for as long as it is let, on a worker with a long session. */
async function liveOnLongSession(mesh: TestMesh): Promise<FireValue> {
  mesh.startWorker('long', { flags: ['--session-ttl-seconds', String(longTtlMs / 1_000)] });
  await mesh.ready(['long']);
  await mesh.putJob({
    name: 'alone',
    command: `while :; do ${noteRun(mesh.oracle, 'sleep 0.05', 'alive')}; done`,
    cronExpr: '* * * * * *',
    concurrency: 'forbid',
  });
  return waitFor(
    async () => {
      const [kv] = await mesh.list('lock/');
      const isAlive = readOracle(mesh.oracle).length > 5;
      return kv && isAlive ? decodeValue(fireSchema, kv.value) : undefined;
    },
    { timeoutMs: 20_000, describe: () => 'a run on the long session' },
  );
}

async function assertNoOverlap(
  t: TestContext,
  mesh: TestMesh,
  fire: FireValue,
  name: string,
): Promise<void> {
  const revokedAt = Date.now();
  mesh.workers.get('long')?.freeze();
  await mesh.etcd.revokeLease(fire.session);
  if (!mesh.workers.has('short')) await mesh.startWorkers(['short']);
  const next = await waitFor(
    () => readOracle(mesh.oracle).find(({ runId }) => runId !== fire.runId),
    { timeoutMs: 60_000, describe: () => 'another run to start' },
  );
  // Long enough for its guardian to have ended the first one, whatever started meanwhile.
  await waitFor(() => Date.now() > revokedAt + longTtlMs + 1_000, {
    timeoutMs: longTtlMs + 5_000,
    describe: () => 'the deadline of the long session',
  });
  const signs = readOracle(mesh.oracle).filter(({ runId }) => runId === fire.runId);
  const last = Math.max(...signs.map(({ atMs }) => atMs));
  const note = `lived ${last - revokedAt} ms without its session, the next began ${next.atMs - last} ms later`;
  reportFault(t, name, { overlapMs: Math.max(0, last - next.atMs) }, note);
  assert.ok(next.atMs > last, 'no overlap');
  // It was not ended early by something else: the wait was for its own deadline.
  assert.ok(last - revokedAt > longTtlMs / 2);
}

// Both mostly wait for the long session.
describe('sessions of different lengths', { concurrency: 2 }, () => {
  it('a survivor with a short one waits for as long as the owner may believe in its own', async (t) => {
    await withMesh({}, async (mesh) => {
      const fire = await liveOnLongSession(mesh);
      await mesh.startWorkers(['short']);
      await assertNoOverlap(t, mesh, fire, 'long session revoked, short survivor');
    });
  });

  it('so does a worker that was started when the session was gone', async (t) => {
    await withMesh({}, async (mesh) => {
      const fire = await liveOnLongSession(mesh);
      await assertNoOverlap(t, mesh, fire, 'long session revoked, survivor never saw it');
    });
  });
});
