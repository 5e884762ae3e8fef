/**
 * `npm run check`, for while one works: format, lint, types and unit tests, in under a minute. It
 * expects the packages to be there (`npm start` and `npm test` see to it themselves).
 */
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { runStages } from './stages/stages.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const allWell = await runStages(root, ['format', 'lint', 'canary', 'types', 'build', 'unit']);
process.exitCode = allWell ? 0 : 1;
