/**
 * Where a cell stands in an address: all of its API and of its console below `/cells/<name>`. With
 * one mesh and no cells nothing stands there.
 */
import type { Route } from './route.ts';

const inCell = /^\/cells\/([^/]*)(?=\/|$)/;

/** `/cells/<name>`. Names of cells need no escapes. */
export function cellBase(name: string): string {
  return `/cells/${name}`;
}

/** The name that the path gives, of a cell that may not be there. */
export function cellIn(path: string): string | undefined {
  return inCell.exec(path)?.[1];
}

/** The path as the cell itself means it; itself when it is in none. */
export function withoutCell(path: string): string {
  const inside = path.replace(inCell, '');
  return inside === '' ? '/' : inside;
}

export function atCell(name: string, routes: readonly Route[]): Route[] {
  return routes.map((route) => ({ ...route, cell: name, path: cellBase(name) + route.path }));
}
