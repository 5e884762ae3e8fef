/**
 * The layout of the history file, as steps from one schema version to the next; the file's
 * `user_version` says which it has. A file of a newer version, or of another program, is refused:
 * guessing at it could lose history.
 */
import type { Database } from 'libsql';
import { CronmeshError } from '../../errors.ts';

/** "crmh", so that another program's database is never taken for a history file. */
const applicationId = 0x63726d68;

const steps: readonly string[] = [
  `CREATE TABLE rows (
     seq INTEGER PRIMARY KEY,
     id TEXT NOT NULL UNIQUE,
     job TEXT NOT NULL,
     job_group TEXT NOT NULL,
     worker TEXT NOT NULL,
     tick INTEGER NOT NULL,
     state TEXT NOT NULL,
     parts TEXT NOT NULL
   ) STRICT;
   -- state stands in each of them so that an outcome is filtered without reading the rows.
   CREATE INDEX rows_by_tick ON rows (tick, id, state);
   CREATE INDEX rows_by_job ON rows (job, tick, id, state);
   CREATE INDEX rows_by_group ON rows (job_group, tick, id, state);
   CREATE INDEX rows_by_worker ON rows (worker, tick, id, state);
   CREATE INDEX rows_by_state ON rows (state, tick, id);
   CREATE TABLE output (
     run_id TEXT NOT NULL,
     first_byte INTEGER NOT NULL,
     stream TEXT NOT NULL,
     at INTEGER NOT NULL,
     data BLOB NOT NULL,
     PRIMARY KEY (run_id, first_byte)
   ) STRICT;`,
];

const knownVersion = steps.length;

/** Brings an open file to `knownVersion`; several processes may do so at once. */
export function migrate(db: Database, file: string): void {
  if (versionOf(db, file) === knownVersion) return;
  db.exec('BEGIN IMMEDIATE');
  try {
    // Another process may have done it while this one waited for the lock.
    const version = versionOf(db, file);
    for (const step of steps.slice(version)) db.exec(step);
    db.exec(`PRAGMA application_id = ${applicationId}`);
    db.exec(`PRAGMA user_version = ${knownVersion}`);
    db.exec('COMMIT');
  } catch (error) {
    if (db.inTransaction) db.exec('ROLLBACK');
    throw error;
  }
}

function versionOf(db: Database, file: string): number {
  const version = integerOf(db, 'SELECT user_version AS n FROM pragma_user_version');
  const owner = integerOf(db, 'SELECT application_id AS n FROM pragma_application_id');
  const objects = integerOf(db, 'SELECT count(*) AS n FROM sqlite_master');
  if (owner !== applicationId && (owner !== 0 || version !== 0 || objects !== 0)) {
    throw new CronmeshError(
      'store-unavailable',
      `${file} is a database of another program, not a cronmesh history file`,
    );
  }
  if (version > knownVersion) {
    throw new CronmeshError(
      'store-unavailable',
      `${file} was written by a newer cronmesh (schema version ${version}, this one knows up to ` +
        `${knownVersion}): run that version, or name another file`,
    );
  }
  return version;
}

function integerOf(db: Database, sql: string): number {
  const row: unknown = db.prepare(sql).get([]);
  const value = typeof row === 'object' && row !== null && 'n' in row ? row.n : undefined;
  if (typeof value !== 'number') throw new Error(`no number from ${sql}`);
  return value;
}
