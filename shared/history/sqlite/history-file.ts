/**
 * One open connection to the history file, with the settings that several processes sharing it
 * need: WAL, a busy timeout, and a sync to disk at every commit, because a spool entry is released
 * once its ingest was acknowledged. Only libsql's calls that run a statement to its end are used:
 * an abandoned iterator would hold a snapshot open and keep the WAL growing.
 */
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import Database, { type Statement } from 'libsql';
import { CronmeshError } from '../../errors.ts';
import { migrate } from './migrations.ts';

const busyTimeoutMs = 5000;
const walSizeLimitBytes = 64 * 1024 * 1024;

/** Never a boolean: libsql aborts the whole process on one. */
export type SqlValue = string | number | Buffer | null;

export class HistoryFile {
  readonly #db: Database.Database;
  readonly #statements = new Map<string, Statement>();

  constructor(file: string) {
    mkdirSync(dirname(file), { recursive: true });
    this.#db = new Database(file, { timeout: busyTimeoutMs });
    try {
      this.#useWal(file);
      this.#db.exec(`PRAGMA synchronous = FULL`);
      this.#db.exec(`PRAGMA journal_size_limit = ${walSizeLimitBytes}`);
      migrate(this.#db, file);
    } catch (error) {
      this.#db.close();
      throw error;
    }
  }

  all(sql: string, values: readonly SqlValue[]): unknown[] {
    return this.#prepared(sql).all(values);
  }

  run(sql: string, values: readonly SqlValue[]): void {
    this.#prepared(sql).run(values);
  }

  /** Takes the write lock first, so that what `write` reads is still so when it commits. */
  inTransaction(write: () => void): void {
    this.#db.exec('BEGIN IMMEDIATE');
    try {
      write();
      this.#db.exec('COMMIT');
    } catch (error) {
      // Some failures (a full disk) have rolled back already.
      if (this.#db.inTransaction) this.#db.exec('ROLLBACK');
      throw error;
    }
  }

  close(): void {
    this.#statements.clear();
    try {
      this.#db.exec('PRAGMA wal_checkpoint(PASSIVE)');
    } finally {
      this.#db.close();
    }
  }

  /** Switching a new file needs it alone, and SQLite does not wait for that by itself. */
  #useWal(file: string): void {
    const deadlineMs = performance.now() + busyTimeoutMs;
    for (;;) {
      try {
        const mode = JSON.stringify(this.#db.pragma('journal_mode = WAL'));
        if (mode.includes('"wal"')) return;
        throw new CronmeshError(
          'store-unavailable',
          `the file system of ${file} does not support SQLite's WAL: use a local disk`,
        );
      } catch (error) {
        const busy = error instanceof Database.SqliteError && error.code.includes('BUSY');
        if (!busy || performance.now() > deadlineMs) throw error;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
      }
    }
  }

  #prepared(sql: string): Statement {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#db.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}
