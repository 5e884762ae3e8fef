/**
 * Guards against a false green: a linter that reads no file, or lost a plugin or a rule, finds
 * nothing too. test/fixtures/canary is a tree like ours in which each file says in its first line
 * what must be found in it (`// expected: plugin(rule), ...` or `// expected: nothing`); it is linted
 * with our own configuration, and what is found must be just that.
 */
import { cp, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import process from 'node:process';
import { run } from '../setup/command.mjs';

const lineLimit = 400;
const limitSeconds = 60;

/** @returns {Promise<string[]>} what is wrong with the linter, one line each; none when all is well */
export async function checkCanaries(root) {
  // Outside the repository: its .gitignore and ignore patterns must not hide the files.
  const folder = await mkdtemp(join(tmpdir(), 'cronmesh-canary-'));
  try {
    await cp(join(root, 'test', 'fixtures', 'canary'), folder, { recursive: true });
    for (const file of ['.oxlintrc.json', 'tsconfig.json', 'package.json']) {
      await cp(join(root, file), join(folder, file));
    }
    await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
    await writeFile(
      join(folder, 'shared', 'too-long.ts'),
      `// expected: eslint(max-lines)\nexport const long = true;\n${'//\n'.repeat(lineLimit)}`,
    );
    return compare(await readExpectations(folder), await lint(root, folder));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function readExpectations(folder) {
  const expectations = new Map();
  for (const entry of await readdir(folder, { recursive: true })) {
    if (entry.startsWith('node_modules') || !/\.tsx?$/.test(entry)) continue;
    const text = await readFile(join(folder, entry), 'utf8');
    const match = /^\/\/ expected: (.+)\n/.exec(text);
    expectations.set(entry, match?.[1] ?? 'a first line that says what');
  }
  return expectations;
}

/** Rules that were violated, by file. */
async function lint(root, folder) {
  const oxlint = join(root, 'node_modules', 'oxlint', 'bin', 'oxlint');
  const args = [oxlint, '--type-aware', '--deny-warnings', '--format', 'json'];
  const result = await run(process.execPath, args, { cwd: folder, limitSeconds });
  const found = new Map();
  let report;
  try {
    report = JSON.parse(result.stdout);
  } catch {
    throw new Error(`oxlint gave no report: ${result.why}`);
  }
  for (const { code, filename } of report.diagnostics) {
    const file = relative(folder, join(folder, filename));
    found.set(file, [...(found.get(file) ?? []), code]);
  }
  return found;
}

function compare(expectations, found) {
  const problems = [];
  for (const [file, expected] of expectations) {
    const rules = [...new Set(found.get(file) ?? [])].sort().join(', ') || 'nothing';
    if (rules !== expected) problems.push(`${file}: expected ${expected}, found ${rules}`);
  }
  return problems;
}
