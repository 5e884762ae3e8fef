/** Only one process owns a spool directory, whatever way the last owner ended. */
import assert from 'node:assert/strict';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { SpoolProcess } from './spool-process.ts';
import { cleanUp, startSpool, temporaryFolder } from './spool-support.ts';

const program = fileURLToPath(new URL('./spool-writer-process.js', import.meta.url));

function parameters(folder: string): unknown {
  return {
    directory: join(folder, 'spool'),
    takenFile: join(folder, 'taken'),
    firstNumber: 1,
    store: 'up',
    idle: true,
  };
}

it('refuses a second process and names the first; SIGKILL leaves nothing stale', async (t) => {
  const folder = await temporaryFolder(t);
  const first = new SpoolProcess(program, parameters(folder));
  cleanUp(t, 'process', () => first.kill());
  await first.line((line) => line === 'open');
  const second = new SpoolProcess(program, parameters(folder));
  const refusal = (await second.ended()).find((line) => line.startsWith('refused'));
  assert.match(
    refusal ?? '',
    new RegExp(`in use by process ${String(first.pid)} on .* \\(since 2`),
  );
  await assert.rejects(startSpool(t, join(folder, 'spool')), { code: 'config-invalid' });
  await first.kill();
  const { spool } = await startSpool(t, join(folder, 'spool'));
  assert.equal(spool.state().accepting, true);
});

it('lets exactly one of many win that start together', async (t) => {
  const folder = await temporaryFolder(t);
  await mkdir(join(folder, 'spool'));
  const processes = Array.from({ length: 4 }, () => new SpoolProcess(program, parameters(folder)));
  cleanUp(t, 'process', () => Promise.all(processes.map((process) => process.kill())));
  const first = await Promise.all(
    processes.map((process) => process.line((line) => /^(open|refused)/.test(line))),
  );
  assert.equal(first.filter((line) => line === 'open').length, 1, first.join('\n'));
});

it('respects an owner in another network namespace, and takes over when it is dead', async (t) => {
  if (process.getuid?.() !== 0) {
    t.skip('SKIPPED: making a network namespace needs root');
    return;
  }
  const folder = await temporaryFolder(t);
  const first = new SpoolProcess(program, parameters(folder), ['unshare', '--net', '--']);
  cleanUp(t, 'process', () => first.kill());
  await first.line((line) => line === 'open');
  await assert.rejects(startSpool(t, join(folder, 'spool')), {
    code: 'config-invalid',
    message: new RegExp(`process ${String(first.pid)} on `),
  });
  await first.kill();
  await startSpool(t, join(folder, 'spool'));
  const owner = await readFile(join(folder, 'spool', 'owner.json'), 'utf8');
  assert.match(owner, new RegExp(`"pid":${String(process.pid)}`));
});
