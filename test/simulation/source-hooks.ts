/**
 * Module hooks (in a thread of their own): modules that are reached from one with `?edit=<id>` are
 * loaded anew under the same mark, and the file that the edit names is changed on its way.
 */
import type { InitializeHook, LoadHook, ResolveHook } from 'node:module';
import type { SourceEdits } from './altered-source.ts';

let edits: SourceEdits = {};

export const initialize: InitializeHook<SourceEdits> = (data) => {
  edits = data;
};

export const resolve: ResolveHook = async (specifier, context, nextResolve) => {
  const resolved = await nextResolve(specifier, context);
  const id = idOf(context.parentURL);
  const isOurs = resolved.url.startsWith('file:') && !resolved.url.includes('/node_modules/');
  if (id === undefined || !isOurs || idOf(resolved.url) !== undefined) return resolved;
  return { ...resolved, url: `${resolved.url}?edit=${encodeURIComponent(id)}` };
};

export const load: LoadHook = async (url, context, nextLoad) => {
  const loaded = await nextLoad(url, context);
  const id = idOf(url);
  const edit = id === undefined ? undefined : edits[id];
  if (edit === undefined || !new URL(url).pathname.endsWith(`/${edit.file}.js`)) return loaded;
  const source = Buffer.from(loaded.source as Uint8Array).toString();
  const parts = source.split(edit.find);
  if (parts.length !== 2) {
    throw new Error(`${id ?? ''}: ${edit.file} has ${parts.length - 1} times: ${edit.find}`);
  }
  return { ...loaded, source: parts.join(edit.replace) };
};

function idOf(url: string | undefined): string | undefined {
  if (url?.startsWith('file:') !== true) return undefined;
  return new URL(url).searchParams.get('edit') ?? undefined;
}
