/**
 * `node dist/scripts/backup/main.js sqlite:FILE TARGET`: a copy of a history file, while everything runs.
 * 0 when the copy is there and whole, 1 otherwise.
 */
import { isCronmeshError } from '../../shared/errors.ts';
import { parseHistoryUrl } from '../../shared/history/history-url.ts';
import { backUp } from '../../shared/history/sqlite/backup.ts';

const usage = `Usage: node dist/scripts/backup/main.js sqlite:FILE TARGET

Copies a history file while masters and workers use it. TARGET must not be there yet.
MongoDB has tools of its own: mongodump, or snapshots of its disks.
`;

function run([history, target, ...rest]: readonly string[]): number {
  if (history === undefined || target === undefined || rest.length > 0) {
    process.stderr.write(usage);
    return 1;
  }
  try {
    const place = parseHistoryUrl(history);
    if (place.store !== 'sqlite') {
      process.stderr.write(usage);
      return 1;
    }
    backUp(place.file, target);
    process.stdout.write(`${place.file} is copied to ${target}, and the copy is whole\n`);
    return 0;
  } catch (error) {
    const text = isCronmeshError(error) ? error.message : String(error);
    process.stderr.write(`The history could not be copied: ${text}\n`);
    return 1;
  }
}

process.exitCode = run(process.argv.slice(2));
