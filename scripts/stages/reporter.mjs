/**
 * A reporter for `node --test`: a line for each test that passed, a failure in full with what its
 * file printed, and the counts, as JSON, into the file that CRONMESH_TEST_COUNTS names. Suites are
 * not counted, nor is a test that failed only because one in it did.
 */
import { writeFileSync } from 'node:fs';
import { relative } from 'node:path';
import process from 'node:process';
import { inspect } from 'node:util';

const keptOutput = 16 * 1024;

// oxlint-disable-next-line import/no-default-export -- where node --test looks for it
export default async function* report(events) {
  const counts = { passed: 0, failed: 0, skipped: [], failures: [] };
  /** The names that lead to the test at hand, by file. */
  const paths = new Map();
  const output = new Map();
  for await (const { type, data } of events) {
    const file = data?.file;
    if (type === 'test:stdout' || type === 'test:stderr') {
      output.set(file, ((output.get(file) ?? '') + data.message).slice(-keptOutput));
    } else if (type === 'test:start') {
      const path = paths.get(file) ?? [];
      path.length = data.nesting;
      path[data.nesting] = data.name;
      paths.set(file, path);
    } else if (type === 'test:pass' || type === 'test:fail') {
      yield* reportEnd(type === 'test:pass', data, titleOf(data, paths.get(file)));
    }
  }
  const countsFile = process.env.CRONMESH_TEST_COUNTS;
  if (countsFile) writeFileSync(countsFile, JSON.stringify(counts));

  function* reportEnd(passed, data, title) {
    const suite = data.details?.type === 'suite';
    const time = `${Math.round(data.details?.duration_ms ?? 0)} ms`;
    if (data.skip !== undefined || data.todo !== undefined) {
      if (suite && passed && data.skip === undefined) return;
      const reason = [data.skip, data.todo].find((text) => typeof text === 'string');
      counts.skipped.push(reason ? `${title}: ${reason}` : title);
      yield `  SKIPPED  ${title}${reason ? `: ${reason}` : ''}\n`;
      return;
    }
    if (passed) {
      if (suite) return;
      counts.passed += 1;
      yield `  ok  ${title} (${time})\n`;
      return;
    }
    const error = data.details?.error;
    if (error?.failureType === 'subtestsFailed') return;
    counts.failed += 1;
    counts.failures.push(title);
    yield `  FAILED  ${title} (${time})\n${indent(inspect(error?.cause ?? error, { depth: 6 }))}\n`;
    const printed = output.get(data.file);
    if (printed) yield `    its file printed (the end of it):\n${indent(printed.trimEnd())}\n`;
    output.delete(data.file);
  }
}

function titleOf(data, path) {
  const names = path === undefined ? [data.name] : [...path.slice(0, data.nesting), data.name];
  const file = data.file ? relative(process.cwd(), data.file).replace(/^dist\/test\//, '') : '';
  return [file.replace(/\.test\.js$/, ''), ...names].filter((part) => part !== '').join(' > ');
}

function indent(text) {
  return text.replaceAll(/^/gm, '    ');
}
