/**
 * One stage of tests: the compiled files of test/<stage>, run by `node --test`. Its source files
 * are what is expected: a stage whose files were not compiled fails rather than pass by running
 * nothing.
 */
import { spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';

/**
 * @param {string} root
 * @param {{name: string, concurrency: number, limitSeconds: number, table?: Function}} stage
 *   `limitSeconds` is for one test, or one file of them; `table` makes a text of the rows that the
 *   tests left
 * @param {string | undefined} pattern part of a file's path; or, when no file has it, of a test's name
 * @returns {Promise<{passed: number, failed: number, skipped: string[], failures: string[]}>}
 */
export async function runTests(root, { name, concurrency, limitSeconds, table }, pattern) {
  const sources = sourceFiles(root, name);
  const matching = sources.filter((file) => pattern === undefined || file.includes(pattern));
  const wanted = matching.length === 0 ? sources : matching;
  const compiled = wanted.map((file) => join('dist', 'test', name, file.replace(/\.ts$/, '.js')));
  const missing = compiled.filter((file) => !existsSync(join(root, file)));
  if (compiled.length === 0) return broken(`there are no test files in test/${name}`);
  if (missing.length > 0) return broken(`not compiled: ${missing.join(', ')}`);
  const folder = await mkdtemp(join(tmpdir(), 'cronmesh-counts-'));
  try {
    const countsFile = join(folder, 'counts.json');
    const rowsFile = join(folder, 'rows.jsonl');
    const code = await runNode(
      root,
      [
        '--enable-source-maps',
        '--test',
        `--test-concurrency=${concurrency}`,
        `--test-timeout=${limitSeconds * 1000}`,
        `--test-reporter=${join(root, 'scripts', 'stages', 'reporter.mjs')}`,
        ...(matching.length === 0 ? [`--test-name-pattern=${pattern}`] : []),
        ...compiled,
      ],
      { CRONMESH_TEST_COUNTS: countsFile, CRONMESH_TEST_FAULT_ROWS: rowsFile },
    );
    const text = table?.(root, rowsFile) ?? '';
    if (text !== '') console.log(`\n${text.trimEnd().replaceAll(/^/gm, '  ')}\n`);
    const counts = await readCounts(countsFile);
    if (counts === undefined) return broken(`node --test ended with ${code} and gave no counts`);
    // A file that fails outside any test, and whatever else the runner holds against us.
    if (code !== 0 && counts.failed === 0) {
      return { ...counts, failed: 1, failures: [`${name}: node --test ended with ${code}`] };
    }
    return counts;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

export function hasTests(root, name) {
  return sourceFiles(root, name).length > 0;
}

function sourceFiles(root, name) {
  const folder = join(root, 'test', name);
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true })
    .filter((file) => file.endsWith('.test.ts'))
    .sort();
}

function broken(why) {
  console.log(`  FAILED  ${why}`);
  return { passed: 0, failed: 1, skipped: [], failures: [why] };
}

async function readCounts(file) {
  try {
    return JSON.parse(await readFile(file, 'utf8'));
  } catch {
    return undefined;
  }
}

function runNode(root, args, env) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, args, {
      cwd: root,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, signal) => resolve(signal ?? code));
  });
}
