/**
 * The stages that look at the code without running it, and the build. Each resolves to what is
 * wrong, as text to be printed, or to '' when all is well.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { buildConsole, buildServer } from '../setup/build.mjs';
import { run } from '../setup/command.mjs';
import { SetupError } from '../setup/progress.mjs';
import { checkCanaries } from './canary.mjs';

const limitSeconds = 180;

export async function checkFormat(root) {
  const text = await tool(root, 'prettier/bin/prettier.cjs', ['--check', '--log-level=warn', '.']);
  return text === '' ? '' : `${text}\nnpm run format puts it right.`;
}

export async function checkLint(root) {
  const args = ['--type-aware', '--deny-warnings', '--report-unused-disable-directives'];
  return tool(root, 'oxlint/bin/oxlint', args);
}

export async function checkLinter(root) {
  const problems = await checkCanaries(root);
  if (problems.length === 0) return '';
  return `The linter does not find what it must (test/fixtures/canary):\n${problems.join('\n')}`;
}

export async function checkTypes(root) {
  const projects = ['tsconfig.json', 'webroot/tsconfig.json'];
  const texts = [];
  for (const project of projects) {
    if (!existsSync(join(root, project))) continue;
    texts.push(await tool(root, 'typescript/bin/tsc', ['-p', project, '--noEmit']));
  }
  return texts.filter((text) => text !== '').join('\n');
}

export async function build(root) {
  try {
    await buildServer(root, () => {});
    await buildConsole(root, () => {});
    return '';
  } catch (error) {
    if (error instanceof SetupError) return error.render();
    throw error;
  }
}

/** Runs a tool of node_modules; '' when it is content, else all that it said. */
async function tool(root, script, args) {
  const path = join(root, 'node_modules', script);
  const result = await run(process.execPath, [path, ...args], { cwd: root, limitSeconds });
  return result.ok ? '' : `${result.stdout}${result.stderr}`.trim() || result.why;
}
