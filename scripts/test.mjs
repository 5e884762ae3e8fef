/**
 * `npm test`: every stage. `npm test -- integration` runs one (and the build it needs), and
 * `npm test -- integration watch` of it only the files whose path has `watch` in it, or, when none
 * has, the tests whose name has. Exit code 1 when anything failed.
 */
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { runStages, stages } from './stages/stages.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const [wanted, pattern] = process.argv.slice(2);
const known = stages.map(({ name }) => name);

if (wanted !== undefined && !known.includes(wanted)) {
  console.error(`there is no stage ${wanted}; they are: ${known.join(', ')}`);
  process.exitCode = 2;
} else {
  const isTests = stages.some(({ name, kind }) => name === wanted && kind === 'tests');
  const names = wanted === undefined ? known : isTests ? ['build', wanted] : [wanted];
  process.exitCode = (await runStages(root, names, pattern)) ? 0 : 1;
}
