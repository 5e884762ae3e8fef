/**
 * The stages of `npm test` and `npm run check`, and running them: each under a header, none kept
 * from running by another's failure (but for those that need the build), a table of all at the
 * end, and the sum alone on the last line.
 */
import { build, checkFormat, checkLint, checkLinter, checkTypes } from './checks.mjs';
import { writeFaultTable } from './fault-table.mjs';
import { hasTests, runTests } from './tests.mjs';

const check = (name, run) => ({ name, kind: 'check', run });
const tests = (name, concurrency, limitSeconds, more = {}) => ({
  name,
  kind: 'tests',
  concurrency,
  limitSeconds,
  ...more,
});

export const stages = [
  check('format', checkFormat),
  check('lint', checkLint),
  check('canary', checkLinter),
  check('types', checkTypes),
  check('build', build),
  tests('unit', 2, 120),
  tests('integration', 2, 300),
  // Each of its files is one process with all of a core.
  tests('simulation', 2, 600),
  // They start meshes and count what these do in time, and mostly wait: three at a time are no strain.
  tests('faults', 3, 600, { table: writeFaultTable }),
  tests('e2e', 1, 300),
];

/** Runs the named stages in order and prints; resolves to whether all is well. */
export async function runStages(root, names, pattern) {
  const results = [];
  let buildFailed = false;
  for (const stage of stages.filter(({ name }) => names.includes(name))) {
    console.log(`\n== ${stage.name}`);
    const started = performance.now();
    const result =
      stage.kind === 'check'
        ? await runCheck(root, stage)
        : await runTestStage(root, stage, pattern, buildFailed);
    const seconds = (performance.now() - started) / 1000;
    if (stage.name === 'build') buildFailed = result.failed > 0;
    results.push({ ...result, name: stage.name, seconds });
    console.log(`   ${summaryOf(result)}  [${seconds.toFixed(1)} s]`);
  }
  printSummary(results);
  return results.every(({ failed }) => failed === 0);
}

async function runCheck(root, { name, run }) {
  const problem = await run(root);
  if (problem === '') return { passed: 1, failed: 0, skipped: [], failures: [] };
  console.log(problem);
  return { passed: 0, failed: 1, skipped: [], failures: [name] };
}

async function runTestStage(root, stage, pattern, buildFailed) {
  if (buildFailed) {
    const why = `${stage.name}: not run, for the build failed`;
    return { passed: 0, failed: 1, skipped: [], failures: [why] };
  }
  if (!hasTests(root, stage.name)) {
    const why = `${stage.name}: there are no such tests`;
    return { passed: 0, failed: 0, skipped: [why], failures: [] };
  }
  return runTests(root, stage, pattern);
}

function summaryOf({ passed, failed, skipped }) {
  const skips = skipped.length > 0 ? `, ${skipped.length} skipped` : '';
  return `${passed} passed, ${failed} failed${skips}`;
}

function printSummary(results) {
  const total = { passed: 0, failed: 0, skipped: [] };
  console.log('\n== summary');
  for (const result of results) {
    const seconds = `${result.seconds.toFixed(1)} s`.padStart(8);
    console.log(`   ${result.name.padEnd(12)} ${seconds}  ${summaryOf(result)}`);
    total.passed += result.passed;
    total.failed += result.failed;
    total.skipped.push(...result.skipped);
  }
  for (const title of total.skipped) console.log(`   SKIPPED  ${title}`);
  for (const { failures } of results) {
    for (const title of failures) console.log(`   FAILED  ${title}`);
  }
  console.log(`\n${summaryOf(total)}`);
}
