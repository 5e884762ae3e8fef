/**
 * `npm ci`, only when node_modules is missing or is not what package-lock.json says. A stamp in
 * node_modules remembers which lockfile it was made from; a folder without one, made by npm
 * itself, is compared with the lockfile package by package.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { findOnPath, lastLines, run } from './command.mjs';
import { SetupError } from './progress.mjs';

const installSeconds = 600;

export async function installPackages(root, announce) {
  const modules = join(root, 'node_modules');
  const stampFile = join(modules, '.cronmesh-setup');
  const lockText = await readFile(join(root, 'package-lock.json'), 'utf8');
  const stamp = createHash('sha256')
    .update(`${lockText}\n${process.platform} ${process.arch}`)
    .digest('hex');
  if ((await readOr(stampFile, '')).trim() === stamp) return 'up to date with package-lock.json';
  const differs = await difference(modules, JSON.parse(lockText));
  if (differs === undefined) {
    await writeFile(stampFile, `${stamp}\n`);
    return 'up to date with package-lock.json (compared)';
  }
  announce('installing packages (npm ci)');
  const [command, ...first] = npmCommand();
  const args = [...first, 'ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'];
  const result = await run(command, args, { cwd: root, limitSeconds: installSeconds });
  if (!result.ok) {
    throw new SetupError(
      'the packages could not be installed.',
      [{ what: 'npm ci', why: lastLines(result.stderr || result.why, 20) }],
      'To go on: see to it that npm reaches its registry (npm ping), then start again.',
    );
  }
  await writeFile(stampFile, `${stamp}\n`);
  return `installed by npm ci (${differs})`;
}

/** How node_modules differs from the lockfile, in words, or undefined when it does not. */
async function difference(modules, lock) {
  if (!existsSync(modules)) return 'there was no node_modules';
  let actual;
  try {
    actual = JSON.parse(await readFile(join(modules, '.package-lock.json'), 'utf8')).packages;
  } catch {
    return 'node_modules was not made by npm';
  }
  for (const [path, wanted] of Object.entries(lock.packages)) {
    if (path === '') continue;
    const installed = actual[path];
    if (installed === undefined) {
      // Packages for other platforms are not installed here, and rightly so.
      if (wanted.optional === true || wanted.devOptional === true || wanted.peer === true) continue;
      return `${path} was missing`;
    }
    if (installed.version !== wanted.version || installed.integrity !== wanted.integrity) {
      return `${path} was another version`;
    }
    if (!existsSync(join(modules, '..', path))) return `${path} was missing`;
  }
  return undefined;
}

/** The npm that runs us, if one does: the one on PATH may be of another Node. */
function npmCommand() {
  const cli = process.env.npm_execpath;
  if (cli?.endsWith('npm-cli.js') && existsSync(cli)) return [process.execPath, cli];
  const npm = findOnPath(['npm']);
  if (npm !== undefined) return [npm];
  throw new SetupError(
    'there is no npm to install the packages with.',
    [{ what: 'npm on PATH', why: 'not there' }],
    'To go on: install npm (it comes with Node from nodejs.org), then start again.',
  );
}

async function readOr(file, other) {
  try {
    return await readFile(file, 'utf8');
  } catch {
    return other;
  }
}
