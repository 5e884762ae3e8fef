/**
 * What a master answers for the meshes it serves. One without a name stands at the root, with all
 * there is. Cells stand below `/cells/<name>` each, with a document of their own; at the root are
 * their list and what is about the whole process.
 */
import { z } from 'zod';
import type { HealthDeps } from '../api/health-parts.ts';
import { healthRoutes } from '../api/health-routes.ts';
import { withOpenApi } from '../api/openapi-routes.ts';
import { cellListShape, type Shape } from '../api/shapes.ts';
import { atCell, cellBase } from '../http/cell-paths.ts';
import { ok } from '../http/reply.ts';
import { defineRoute, type Route } from '../http/route.ts';
import type { Cell } from './cell.ts';

export function routesOf(cells: readonly Cell[], deps: Omit<HealthDeps, 'cells'>): Route[] {
  const { version } = deps;
  const health = healthRoutes({ ...deps, cells: cells.map((cell) => cell.health) });
  const named = cells.flatMap((cell) =>
    cell.place.name === undefined ? [] : [{ cell, name: cell.place.name }],
  );
  if (named.length === 0) {
    return withOpenApi([...cells.flatMap(({ routes }) => routes), ...health], version);
  }
  return [
    ...withOpenApi([cellListRoute(named), ...health], version),
    ...named.flatMap(({ cell, name }) =>
      atCell(name, withOpenApi(cell.routes, version, cellBase(name))),
    ),
  ];
}

interface NamedCell {
  readonly cell: Cell;
  readonly name: string;
}

function cellListRoute(cells: readonly NamedCell[]): Route {
  return defineRoute({
    method: 'GET',
    path: '/api/v1/cells',
    summary: 'The cells that this master serves',
    tag: 'mesh',
    query: z.strictObject({}),
    replies: {
      200: { description: 'All of them, as they are configured.', schema: cellListShape },
    },
    handle: async () => ok({ items: cells.map(cellItem) }),
  });
}

function cellItem({ cell, name }: NamedCell): Shape<typeof cellListShape>['items'][number] {
  const { link, index, openFires } = cell.health;
  return {
    name,
    prefix: cell.place.prefix,
    jobs: index.total,
    running: openFires.count,
    etcd: link.status.etcd,
    etcdSince: link.status.since,
  };
}
