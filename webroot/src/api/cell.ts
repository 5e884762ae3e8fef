/**
 * Which cell this tab shows: the address says it (`/cells/<name>/…`), and everything the tab asks and
 * every link in it stays below that. Where there are no cells, nothing stands before the rooms. The
 * cell of a tab never changes: another one is another page.
 */
import { cellIn } from './cell-path.ts';

/** Undefined where there are no cells. */
export function currentCell(): string | undefined {
  return cellIn(location.pathname);
}

/** What stands before every path of this tab: `/cells/<name>`, or nothing. */
export function basePath(): string {
  const cell = currentCell();
  return cell === undefined ? '' : `/cells/${cell}`;
}

/** For commands to copy. */
export function apiUrl(): string {
  return `${location.origin}${basePath()}/api/v1`;
}
