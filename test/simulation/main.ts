/**
 * `npm run simulate`: one seed with its story, many seeds with a line for all, fleet-hours in many
 * processes, or the table of mutants. Exit code 1 when an invariant broke.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { inspect, parseArgs } from 'node:util';
import { packageRoot } from '../../shared/package-root.ts';
import { hoursOfFleet, runFleetHours } from './fleet-hours.ts';
import { runMutants } from './mutant-table.ts';
import { runScale } from './scale.ts';
import { simulate, type SimOptions, type SimResult } from './simulate.ts';
import type { StoryDetail } from './story.ts';

const usage = `node dist/test/simulation/main.js [options]
  --seed N            one seed, with its story
  --seeds A..B        many seeds, with a line for all
  --mutants           every guard taken out in turn: which seed of --seeds A..B (1..60) notices; the
                      table goes to --out FILE, too (.build/mutants.md); --only TEXT: some of them
  --hours H           fleets of two days each until H fleet-hours are simulated, from --seed on
                      (1 when not given), in --processes N (as many as there are cores)
  --operation         one seed, or many, as --hours simulates them (of two days, or of --minutes M)
  --workers N --jobs N   what fleets of 1, 10, 100 … N workers ask of etcd in one minute in which every
                      one of N jobs is due, and how late and how evenly they run them
  --workers N --jobs N --minutes M   with a seed: in place of what the seed says
  --fair              nothing breaks
  --story none|short|full          default short for one seed
`;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string' },
      seeds: { type: 'string' },
      mutants: { type: 'boolean' },
      only: { type: 'string' },
      out: { type: 'string' },
      workers: { type: 'string' },
      jobs: { type: 'string' },
      hours: { type: 'string' },
      minutes: { type: 'string' },
      processes: { type: 'string' },
      operation: { type: 'boolean' },
      story: { type: 'string' },
      fair: { type: 'boolean' },
      help: { type: 'boolean' },
    },
  });
  const options: Omit<SimOptions, 'seed'> = {
    ...numberOption('workers', values.workers),
    ...numberOption('jobs', values.jobs),
    ...numberOption('minutes', values.minutes),
    ...(values.operation === true ? { hours: operationHours(values.minutes) } : {}),
    ...(values.fair === true ? { isFair: true } : {}),
  };
  if (values.mutants === true) {
    const lines: string[] = [];
    const tell = (line: string): void => {
      lines.push(line);
      say(line);
    };
    const code = await runMutants(tell, rangeOf(values.seeds ?? '1..60'), values.only);
    writeTable(values.out ?? path.join(packageRoot(), '.build', 'mutants.md'), lines);
    return code;
  }
  if (values.hours !== undefined) {
    return runFleetHours({
      hours: toNumber(values.hours, 'hours'),
      processes: toNumber(values.processes ?? String(os.availableParallelism()), 'processes'),
      firstSeed: toNumber(values.seed ?? '1', 'seed'),
      say,
      signal: untilInterrupted(),
    });
  }
  if (values.seeds !== undefined) return many(rangeOf(values.seeds), options);
  const { workers, jobs } = values;
  if (values.seed === undefined && workers !== undefined && jobs !== undefined) {
    const tell = (what: string): void => void process.stderr.write(`${what}\n`);
    return runScale(toNumber(workers, 'workers'), toNumber(jobs, 'jobs'), 1, say, tell);
  }
  if (values.seed === undefined || values.help === true) {
    say(usage.trimEnd());
    return values.help === true ? 0 : 2;
  }
  const story = storyDetail(values.story ?? 'short');
  const result = await simulate({ ...options, seed: toNumber(values.seed, 'seed'), story });
  process.stdout.write(result.story);
  say(summaryOf([result]));
  return report([result]);
}

async function many(seeds: readonly number[], options: Omit<SimOptions, 'seed'>): Promise<number> {
  const results: SimResult[] = [];
  const beganMs = performance.now();
  for (const seed of seeds) {
    const result = await simulate({ ...options, seed }).catch((error: unknown) => {
      throw new Error(`seed ${seed} could not be simulated`, { cause: error });
    });
    results.push(result);
    if (result.violations.length > 0) report([result]);
  }
  const seconds = (performance.now() - beganMs) / 1000;
  say(summaryOf(results));
  const claims = results.reduce((sum, result) => sum + result.claims, 0);
  const hours = results.reduce((sum, result) => sum + result.workerHours, 0);
  const events = results.reduce((sum, result) => sum + result.events, 0);
  say(
    `${(claims / seconds).toFixed(0)} fires/s, ${(hours / seconds).toFixed(2)} worker-hours/s, ` +
      `${(events / seconds / 1000).toFixed(0)} thousand events/s, in ${seconds.toFixed(1)} s`,
  );
  const broken = results.filter(({ violations }) => violations.length > 0);
  if (broken.length > 0) say(`broken seeds: ${broken.map(({ seed }) => seed).join(' ')}`);
  return broken.length === 0 ? 0 : 1;
}

function writeTable(file: string, lines: readonly string[]): void {
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, `${lines.join('\n')}\n`);
  say(`as a file: ${file}`);
}

function operationHours(minutes: string | undefined): number {
  return minutes === undefined ? hoursOfFleet : toNumber(minutes, 'minutes') / 60;
}

function untilInterrupted(): AbortSignal {
  const over = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => over.abort());
  return over.signal;
}

function report(results: readonly SimResult[]): number {
  for (const { seed, violations } of results) {
    for (const { invariant, detail } of violations) say(`seed ${seed}: ${invariant}: ${detail}`);
  }
  return results.some(({ violations }) => violations.length > 0) ? 1 : 0;
}

function summaryOf(results: readonly SimResult[]): string {
  const sum = (of: (result: SimResult) => number): number =>
    results.reduce((total, result) => total + of(result), 0);
  const broken = results.filter(({ violations }) => violations.length > 0).length;
  return (
    `${results.length} seeds, ${broken} broken: ${sum((r) => r.expectedTicks)} ticks expected, ` +
    `${sum((r) => r.claims)} claims, ${sum((r) => r.starts)} starts, ` +
    `${sum((r) => r.lost)} lost, ${sum((r) => r.missed)} spans missed, ` +
    `${sum((r) => r.skipped)} skipped, ${sum((r) => r.workerHours).toFixed(1)} worker-hours`
  );
}

function rangeOf(text: string): number[] {
  const match = /^(\d+)(?:\.\.(\d+))?$/.exec(text);
  if (match === null) throw new RangeError(`--seeds takes A..B, not ${text}`);
  const first = Number(match[1]);
  const last = Number(match[2] ?? match[1]);
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => first + i);
}

function numberOption(name: string, text: string | undefined): Record<string, number> {
  return text === undefined ? {} : { [name]: toNumber(text, name) };
}

function toNumber(text: string, name: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value < 0) throw new RangeError(`--${name} takes a number`);
  return value;
}

function storyDetail(text: string): StoryDetail {
  if (text === 'none' || text === 'short' || text === 'full') return text;
  throw new RangeError('--story takes none, short or full');
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`${inspect(error)}
`);
  process.exitCode = 2;
}
