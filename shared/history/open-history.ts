/**
 * Opens the history store that a URL names. Nothing is connected here or by start(): a worker must
 * be able to run while the store is down. ping() says whether it can be used now.
 */
import type { Clock } from '../clock.ts';
import type { Logger } from '../log.ts';
import { parseHistoryUrl } from './history-url.ts';
import type { HistoryStore } from './port.ts';
import { MongoHistory } from './mongo/mongo-history.ts';
import { SqliteHistory } from './sqlite/sqlite-history.ts';

export interface HistoryDeps {
  readonly logger: Logger;
  readonly clock: Clock;
}

/**
 * `mongodb://…` or `mongodb+srv://…` (database: the URL's path, else `cronmesh`), or `sqlite:FILE`
 * (relative to the working directory, or absolute). Throws `config-invalid` for anything else.
 */
export function openHistory(url: string, deps: HistoryDeps): HistoryStore {
  const place = parseHistoryUrl(url);
  return place.store === 'sqlite'
    ? new SqliteHistory(place.file, deps)
    : new MongoHistory(place.url, place.database, deps);
}
