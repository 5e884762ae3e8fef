/**
 * A copy of a history file while processes write to it: one moment of it, compacted, and checked. The
 * copy appears under its name only when it is whole.
 */
import { existsSync, renameSync, rmSync } from 'node:fs';
import Database from 'libsql';
import { CronmeshError } from '../../errors.ts';
import { HistoryFile } from './history-file.ts';
import { integrityProblems } from './prune-rows.ts';

/** Blocks its thread. Throws `conflict` when `to` is there, and `store-unavailable`. */
export function backUp(file: string, to: string): void {
  if (!existsSync(file)) throw new CronmeshError('store-unavailable', `there is no file ${file}`);
  if (existsSync(to)) throw new CronmeshError('conflict', `${to} is there already`);
  const partial = `${to}.partial`;
  rmSync(partial, { force: true });
  const db = new Database(file, { timeout: 5_000 });
  try {
    db.prepare('VACUUM INTO ?').run([partial]);
  } finally {
    db.close();
  }
  const copy = new HistoryFile(partial);
  let problems: string[];
  try {
    problems = integrityProblems(copy);
  } finally {
    copy.close();
  }
  for (const extra of ['-wal', '-shm']) rmSync(`${partial}${extra}`, { force: true });
  if (problems.length > 0) {
    throw new CronmeshError('store-unavailable', `${file} is damaged: ${problems.join('; ')}`);
  }
  renameSync(partial, to);
}
