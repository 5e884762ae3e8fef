/**
 * Where the real programs are that the tests run. In this order: the variable
 * CRONMESH_TEST_<NAME>, PATH (and the sbin folders), what the set-up found or fetched
 * (node_modules/.cronmesh-tools.json, written by scripts/setup.mjs). A program that is missing is
 * an error that says how to get it; nothing is skipped quietly.
 */
import { accessSync, constants, existsSync, readdirSync, readFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';

export type ProgramName =
  'etcd' | 'etcdctl' | 'mongod' | 'chromium' | 'nginx' | 'systemd-analyze' | 'faketime';

const toolsSchema = z.record(z.string(), z.object({ path: z.string() }).loose().nullable());

interface ProgramSource {
  readonly variable: string;
  readonly executables: readonly string[];
  readonly package: string;
}

const sources: Record<ProgramName, ProgramSource> = {
  etcd: { variable: 'CRONMESH_TEST_ETCD', executables: ['etcd'], package: 'etcd-server' },
  // etcd's own tool to restore a backup: etcdutl since 3.5, etcdctl before.
  etcdctl: {
    variable: 'CRONMESH_TEST_ETCDCTL',
    executables: ['etcdutl', 'etcdctl'],
    package: 'etcd-client',
  },
  mongod: { variable: 'CRONMESH_TEST_MONGOD', executables: ['mongod'], package: 'mongod' },
  chromium: {
    variable: 'CRONMESH_TEST_CHROMIUM',
    executables: ['chromium', 'chromium-browser', 'google-chrome'],
    package: 'chromium',
  },
  nginx: { variable: 'CRONMESH_TEST_NGINX', executables: ['nginx'], package: 'nginx-light' },
  'systemd-analyze': {
    variable: 'CRONMESH_TEST_SYSTEMD_ANALYZE',
    executables: ['systemd-analyze'],
    package: 'systemd',
  },
  // A library to preload, so never on PATH.
  faketime: { variable: 'CRONMESH_TEST_FAKETIME', executables: [], package: 'libfaketime' },
};

/**
 * The path of a program (for 'faketime', of the library to put into LD_PRELOAD).
 * Throws an Error that names everything that was looked at when there is none.
 */
export function findProgram(name: ProgramName): string {
  const source = sources[name];
  const named = process.env[source.variable];
  if (named !== undefined && named !== '') {
    if (existsSync(named)) return named;
    throw new Error(`${source.variable} names ${named}, which does not exist`);
  }
  const found = onPath(source.executables) ?? fromTools(name) ?? knownLibrary(name);
  if (found !== undefined) return found;
  throw new Error(
    `MISSING: ${name} is not installed, and this test cannot be run without it. ` +
      `Run "node scripts/setup.mjs --for test" (it fetches it), or install the package ` +
      `${source.package}, or set ${source.variable} to its path.`,
  );
}

/** The folder that holds package.json, wherever this file was compiled to. */
export function projectRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) {
    const parent = dirname(folder);
    if (parent === folder) throw new Error('no package.json above this file');
    folder = parent;
  }
  return folder;
}

function onPath(executables: readonly string[]): string | undefined {
  const folders = [
    ...(process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== ''),
    '/usr/local/sbin',
    '/usr/sbin',
    '/sbin',
  ];
  for (const executable of executables) {
    for (const folder of folders) {
      const path = join(folder, executable);
      if (isExecutable(path)) return path;
    }
  }
  return undefined;
}

function fromTools(name: ProgramName): string | undefined {
  let text: string;
  try {
    text = readFileSync(join(projectRoot(), 'node_modules', '.cronmesh-tools.json'), 'utf8');
  } catch {
    return undefined;
  }
  const path = toolsSchema.parse(JSON.parse(text))[name]?.path;
  return path !== undefined && existsSync(path) ? path : undefined;
}

function knownLibrary(name: ProgramName): string | undefined {
  if (name !== 'faketime' || !existsSync('/usr/lib')) return undefined;
  for (const folder of ['', ...readdirSync('/usr/lib')]) {
    const path = join('/usr/lib', folder, 'faketime', 'libfaketime.so.1');
    if (existsSync(path)) return path;
  }
  return undefined;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
