/**
 * The console at its addresses. With one mesh it stands at the root. With cells it stands below each
 * cell's path, and a page that is asked for outside of them is the first cell's: links of a time
 * before the cells go on working. Which cells there are is the router's to judge.
 */
import type { Context } from 'koa';
import { cellBase, cellIn } from './cell-paths.ts';
import type { Reply } from './reply.ts';
import type { StaticFiles } from './static-files.ts';

/** `firstCell` is undefined where there are none. */
export function serveConsole(
  files: StaticFiles,
  firstCell: string | undefined,
): (context: Context) => Promise<Reply | undefined> {
  return async ({ path, search, req: { headers } }) => {
    const request = {
      path,
      accept: headers.accept,
      acceptEncoding: headers['accept-encoding']?.toString(),
      ifNoneMatch: headers['if-none-match'],
    };
    const isPage = path === '/' || headers.accept?.includes('text/html') === true;
    const isOutside = firstCell !== undefined && cellIn(path) === undefined;
    if (!isOutside || !isPage) return files.serve(request);
    const file = path === '/' ? undefined : await files.serve({ ...request, accept: undefined });
    return file ?? movedTo(`${cellBase(firstCell)}${path}${search}`);
  };
}

function movedTo(target: string): Reply {
  return {
    status: 307,
    type: 'text/plain; charset=utf-8',
    content: `See ${target}\n`,
    headers: { Location: target },
  };
}
