/**
 * Builds: TypeScript into dist/, the console into webroot/dist/. Each only when its sources are not
 * those of the last build; a stamp in its output says which they were (a hash over names and
 * contents, so that a fresh checkout with new file times is not built again).
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import process from 'node:process';
import { lastLines, run } from './command.mjs';
import { SetupError } from './progress.mjs';

const compileSeconds = 180;
const bundleSeconds = 180;
const sourceFolders = ['cli', 'master', 'scripts', 'shared', 'test', 'worker'];

export async function buildServer(root, announce) {
  const dist = join(root, 'dist');
  const files = await listFiles(root, sourceFolders, (path) => path.endsWith('.ts'));
  const stamp = await hashFiles(root, [...files, 'package-lock.json', 'tsconfig.json']);
  if (await isStamped(dist, stamp)) return 'dist is up to date';
  announce('compiling');
  // Its notes of the last run would keep it from writing files that were deleted since.
  await rm(join(dist, '.tsbuildinfo'), { force: true });
  await rm(stampFileOf(dist), { force: true });
  const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  await runBuilder(root, 'tsc', [compiler, '-p', 'tsconfig.json'], compileSeconds);
  const orphans = await removeOrphans(root, dist);
  await writeFile(stampFileOf(dist), stamp);
  return `dist compiled from ${files.length} files${orphans === 0 ? '' : `, ${orphans} old removed`}`;
}

/** Builds the console when there is one. */
export async function buildConsole(root, announce) {
  const webroot = join(root, 'webroot');
  if (!existsSync(join(webroot, 'index.html'))) return 'there is none yet';
  const dist = join(webroot, 'dist');
  const isSource = (path) => !/(^|\/)(dist|node_modules)\//.test(path);
  // It takes types from shared, which cannot change what comes out; but schemas' texts might.
  const files = await listFiles(root, ['webroot', 'shared'], isSource);
  const stamp = await hashFiles(root, [...files, 'package-lock.json']);
  if (await isStamped(dist, stamp)) return 'webroot/dist is up to date';
  announce('building the console');
  const vite = join(root, 'node_modules', 'vite', 'bin', 'vite.js');
  await runBuilder(root, 'vite', [vite, 'build', 'webroot', '--logLevel', 'warn'], bundleSeconds);
  await writeFile(stampFileOf(dist), stamp);
  return 'webroot/dist built';
}

async function runBuilder(root, name, args, limitSeconds) {
  const env = { NODE_ENV: undefined, FORCE_COLOR: undefined, NO_COLOR: '1' };
  const result = await run(process.execPath, args, { cwd: root, limitSeconds, env });
  if (result.ok) return;
  const said = `${result.stdout}${result.stderr}`.replaceAll(/^\s+at .+:\d+:\d+\)?\n/gm, '');
  throw new SetupError(
    'the build failed.',
    [{ what: name, why: lastLines(said, 40) || result.why }],
    'To go on: correct what is named above, then start again.',
  );
}

/** Removes compiled files whose source is gone: a deleted test must not go on being run. */
async function removeOrphans(root, dist) {
  let removed = 0;
  for (const path of await listFiles(root, ['dist'], (file) => /\.js(\.map)?$/.test(file))) {
    const source = relative(dist, join(root, path)).replace(/\.js(\.map)?$/, '.ts');
    if (existsSync(join(root, source))) continue;
    await rm(join(root, path));
    removed += 1;
  }
  return removed;
}

async function listFiles(root, folders, wanted) {
  const found = [];
  for (const folder of folders) {
    if (!existsSync(join(root, folder))) continue;
    for (const entry of await readdir(join(root, folder), {
      recursive: true,
      withFileTypes: true,
    })) {
      const path = relative(root, join(entry.parentPath, entry.name));
      if (entry.isFile() && wanted(path)) found.push(path);
    }
  }
  found.sort((a, b) => (a < b ? -1 : 1));
  return found;
}

async function hashFiles(root, files) {
  const hash = createHash('sha256');
  for (const file of files) {
    hash.update(`${file}\n`).update(await readFile(join(root, file)));
  }
  return hash.digest('hex');
}

function stampFileOf(folder) {
  return join(folder, '.cronmesh-build');
}

async function isStamped(folder, stamp) {
  try {
    return (await readFile(stampFileOf(folder), 'utf8')) === stamp;
  } catch {
    return false;
  }
}
