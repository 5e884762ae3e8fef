/**
 * A reporter for `node --test`: a line for each test that passed and for each figure that it told
 * (its diagnostics), a failure in full, what the files of failed tests printed, and the counts, as JSON, into the file that CRONMESH_TEST_COUNTS names.
 * Suites are not counted, nor is a test that failed only because one in it did. A file without a
 * test has failed: it passes by doing nothing.
 */
import { writeFileSync } from 'node:fs';
import process from 'node:process';
import { inspect } from 'node:util';

const keptOutput = 16 * 1024;

// oxlint-disable-next-line import/no-default-export -- where node --test looks for it
export default async function* report(events) {
  const counts = { passed: 0, failed: 0, skipped: [], failures: [] };
  /** The names that lead to the test at hand, and what was printed, by file. */
  const paths = new Map();
  const output = new Map();
  const failedFiles = new Set();
  for await (const { type, data } of events) {
    const file = shortName(data?.file);
    if (type === 'test:stdout' || type === 'test:stderr') {
      output.set(file, ((output.get(file) ?? '') + data.message).slice(-keptOutput));
    } else if (type === 'test:diagnostic' && file !== '') {
      yield `      ${data.message}\n`;
    } else if (type === 'test:start') {
      const path = paths.get(file) ?? [];
      path.length = data.nesting;
      path[data.nesting] = data.name;
      paths.set(file, path);
    } else if (type === 'test:pass' || type === 'test:fail') {
      const above = (paths.get(file) ?? []).slice(0, data.nesting);
      yield* reportEnd(type === 'test:pass', data, file, [...above, data.name]);
    }
  }
  for (const file of failedFiles) {
    const printed = output.get(file);
    if (printed) yield `  ${file} printed (the end of it):\n${indent(printed.trimEnd())}\n`;
  }
  const countsFile = process.env.CRONMESH_TEST_COUNTS;
  if (countsFile) writeFileSync(countsFile, JSON.stringify(counts));

  function* reportEnd(passed, data, file, names) {
    const isSuite = data.details?.type === 'suite';
    // How the runner tells of a file that failed outside its tests, or that has none.
    const isFile = data.nesting === 0 && shortName(data.name) === file;
    const title = isFile ? file : [file, ...names].join(' > ');
    const time = `${Math.round(data.details?.duration_ms ?? 0)} ms`;
    if (data.skip !== undefined || (data.todo !== undefined && !isSuite)) {
      const reason = [data.skip, data.todo].find((text) => typeof text === 'string' && text !== '');
      const named = reason === undefined ? title : `${title}: ${reason}`;
      counts.skipped.push(named);
      yield `  SKIPPED  ${named}\n`;
      return;
    }
    if (passed && !isFile) {
      if (isSuite) return;
      counts.passed += 1;
      yield `  ok  ${title} (${time})\n`;
      return;
    }
    const error = data.details?.error;
    if (error?.failureType === 'subtestsFailed') return;
    counts.failed += 1;
    counts.failures.push(title);
    failedFiles.add(file);
    const why = passed
      ? 'it has no test'
      : isFile && typeof error?.exitCode === 'number'
        ? `its process ended with ${error.exitCode}`
        : inspect(error?.cause ?? error, { depth: 6 });
    yield `  FAILED  ${title} (${time})\n${indent(why)}\n`;
  }
}

/** `unit/keys` of test/unit/keys.test.ts, compiled or not: the runner names both. */
function shortName(file) {
  if (typeof file !== 'string') return '';
  return file.replace(/^.*\/test\/(?=[^/]+\/)/, '').replace(/\.test\.[jt]s$/, '');
}

function indent(text) {
  return text.replaceAll(/^/gm, '    ');
}
