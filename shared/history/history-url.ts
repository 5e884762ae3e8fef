/**
 * The URL of a history store: which of the stores, and where. Its password must never reach a log
 * or a terminal; `redactHistoryUrl` is the form to show.
 */
import { resolve } from 'node:path';
import { CronmeshError, renderGot } from '../errors.ts';

export type HistoryPlace =
  | { readonly store: 'sqlite'; readonly file: string }
  | { readonly store: 'mongodb'; readonly url: string; readonly database: string };

const expected = 'mongodb://HOST/DATABASE, mongodb+srv://HOST/DATABASE or sqlite:FILE';
const defaultDatabase = 'cronmesh';

export function parseHistoryUrl(url: string): HistoryPlace {
  if (url.startsWith('sqlite:')) return { store: 'sqlite', file: fileOf(url) };
  if (/^mongodb(\+srv)?:\/\/[^/?]/.test(url)) {
    return { store: 'mongodb', url, database: databaseOf(url) };
  }
  throw historyUrlError(url, 'is not the URL of a history store');
}

/** The URL without its password and user name. */
export function redactHistoryUrl(url: string): string {
  // Greedy: a password may hold an unescaped @ by mistake, and that is no reason to show its end.
  return url.replace(/^([a-z+]*:\/\/).*@/s, '$1***@');
}

export function historyUrlError(url: string, message: string): CronmeshError {
  const got = renderGot(redactHistoryUrl(url));
  return new CronmeshError(
    'config-invalid',
    `history ${message} (expected ${expected}, got ${got})`,
    { problems: [{ field: 'history', message, expected, got }] },
  );
}

function fileOf(url: string): string {
  const file = url.slice('sqlite:'.length);
  if (file === '' || file.endsWith('/') || file.includes('\0')) {
    throw historyUrlError(url, 'names no file');
  }
  if (file.startsWith('//') && !file.startsWith('///')) {
    throw historyUrlError(url, 'names a host, but the file must be on this machine');
  }
  if (file === ':memory:') throw historyUrlError(url, 'must be a file, for processes to share');
  return resolve(file);
}

function databaseOf(url: string): string {
  const path = /^mongodb(?:\+srv)?:\/\/[^/]*\/([^?]*)/.exec(url)?.[1] ?? '';
  let database: string;
  try {
    database = decodeURIComponent(path);
  } catch {
    throw historyUrlError(url, 'has a database name that is not valid URL encoding');
  }
  if (database === '') return defaultDatabase;
  if (/[/\\. "$*<>:|?\0]/.test(database) || Buffer.byteLength(database) > 63) {
    throw historyUrlError(url, 'has a database name that MongoDB does not allow');
  }
  return database;
}
