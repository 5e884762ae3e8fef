/**
 * The console's built files. Names under /assets/ carry a hash of their content and may be kept for
 * ever; everything else is asked for again each time (ETag). A path that is no file is a room of the
 * console when a browser asks for a page, and gets index.html.
 */
import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { extname, join, sep } from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Reply } from './reply.ts';

const compress = promisify(gzip);

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.json': 'application/json; charset=utf-8',
  '.map': 'application/json; charset=utf-8',
  '.webmanifest': 'application/manifest+json; charset=utf-8',
  '.txt': 'text/plain; charset=utf-8',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
};
const compressible = new Set([
  '.html',
  '.js',
  '.css',
  '.svg',
  '.json',
  '.map',
  '.webmanifest',
  '.txt',
]);
const assetsFolder = '/assets/';

const notBuiltPage = `<!doctype html><meta charset="utf-8"><title>cronmesh</title>
<h1>The console is not built</h1>
<p>This master serves its API at <a href="/api/v1/overview">/api/v1</a>, but found no webroot/dist.</p>
<p>Build it with <code>npm run build</code> and reload this page.</p>
`;

interface KeptFile {
  readonly changedMs: number;
  readonly size: number;
  readonly etag: string;
  readonly content: Buffer;
  readonly compressed: Buffer | undefined;
}

export interface FileRequest {
  readonly path: string;
  readonly accept: string | undefined;
  readonly acceptEncoding: string | undefined;
  readonly ifNoneMatch: string | undefined;
}

export class StaticFiles {
  readonly #folder: string;
  readonly #kept = new Map<string, KeptFile>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Undefined when there is nothing to serve under that path. */
  async serve(request: FileRequest): Promise<Reply | undefined> {
    const path = safePath(request.path);
    if (path === undefined) return undefined;
    const found = path === '/' ? undefined : await this.#read(path);
    if (found !== undefined) return reply(found, path, request);
    const isPage = path === '/' || request.accept?.includes('text/html') === true;
    if (!isPage || path.startsWith(assetsFolder)) return undefined;
    const index = await this.#read('/index.html');
    return index === undefined
      ? { status: 503, type: 'text/html; charset=utf-8', content: notBuiltPage }
      : reply(index, '/index.html', request);
  }

  async #read(path: string): Promise<KeptFile | undefined> {
    const file = join(this.#folder, path);
    if (!file.startsWith(this.#folder + sep)) return undefined;
    let changedMs: number;
    let size: number;
    try {
      const status = await stat(file);
      if (!status.isFile()) return undefined;
      ({ mtimeMs: changedMs, size } = status);
    } catch {
      // Not there, or a folder on its way is a file.
      return undefined;
    }
    const kept = this.#kept.get(path);
    if (kept?.changedMs === changedMs && kept.size === size) return kept;
    const content = await readFile(file);
    const compressed = compressible.has(extname(path)) ? await compress(content) : undefined;
    const etag = `"${createHash('sha256').update(content).digest('base64url').slice(0, 22)}"`;
    const read = { changedMs, size, etag, content, compressed };
    // As many as there are files in the folder; nothing a client can add to.
    this.#kept.set(path, read);
    return read;
  }
}

function reply(file: KeptFile, path: string, request: FileRequest): Reply {
  const headers = {
    ETag: file.etag,
    Vary: 'Accept-Encoding',
    'Cache-Control': path.startsWith(assetsFolder)
      ? 'public, max-age=31536000, immutable'
      : 'no-cache',
  };
  if (request.ifNoneMatch?.includes(file.etag) === true) return { status: 304, headers };
  const type = types[extname(path)] ?? 'application/octet-stream';
  const { compressed } = file;
  return compressed !== undefined && /\bgzip\b/.test(request.acceptEncoding ?? '')
    ? {
        status: 200,
        type,
        content: compressed,
        headers: { ...headers, 'Content-Encoding': 'gzip' },
      }
    : { status: 200, type, content: file.content, headers };
}

/** The decoded path, when it stays inside the folder on any system. */
function safePath(path: string): string | undefined {
  let decoded: string;
  try {
    decoded = decodeURIComponent(path);
  } catch {
    return undefined;
  }
  if (!decoded.startsWith('/') || /[\0\\]/.test(decoded)) return undefined;
  return decoded.split('/').includes('..') ? undefined : decoded;
}
