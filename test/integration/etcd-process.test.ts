/** A process that stopped its mirror and session and closed its client ends by itself. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startEtcd } from '../support/etcd-server.ts';

const client = fileURLToPath(new URL('etcd-client-process.js', import.meta.url));

for (const fault of ['none', 'frozen'] as const) {
  it(`a client ends by itself after close(), etcd ${fault}`, async () => {
    const server = await startEtcd();
    const child = spawn(process.execPath, [client, server.endpoint], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      await once(child.stdout, 'data');
      if (fault === 'frozen') server.member().freeze();
      child.kill('SIGUSR2');
      const late = AbortSignal.timeout(10_000);
      const [code] = (await once(child, 'exit', { signal: late })) as [number | null];
      assert.equal(code, 0);
    } finally {
      child.kill('SIGKILL');
      await server.stop();
    }
  });
}
