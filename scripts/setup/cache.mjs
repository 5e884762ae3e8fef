/**
 * The user's cache folder, where fetched programs are kept across clones, and fetching into it:
 * short connect and stall limits, the checksum verified before anything is unpacked, and a rename
 * at the end, so that a half-done fetch is never taken for a whole one.
 */
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { homedir, tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { findOnPath, run } from './command.mjs';

const connectSeconds = 5;
const stallSeconds = 15;
const downloadSeconds = 300;

/** `$XDG_CACHE_HOME/cronmesh` or `~/.cache/cronmesh`; under /tmp where neither can be written. */
export async function cacheFolder() {
  const base = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
  try {
    await mkdir(join(base, 'cronmesh'), { recursive: true });
    return join(base, 'cronmesh');
  } catch {
    const folder = join(tmpdir(), `cronmesh-cache-${userInfo().uid}`);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    return folder;
  }
}

/**
 * Makes `<cache>/<name>` by `fill(folder)`, in a folder beside it that is renamed at the end.
 * Whatever `fill` throws is thrown on, and nothing is left.
 */
export async function fillCache(name, fill) {
  const cache = await cacheFolder();
  const target = join(cache, name);
  const partial = join(cache, `.partial-${name}-${randomBytes(4).toString('hex')}`);
  await mkdir(partial, { recursive: true });
  try {
    await fill(partial);
    await rm(target, { recursive: true, force: true });
    await rename(partial, target);
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
  return target;
}

/** Throws an Error in words when the file's SHA-256 is another. */
export async function verifySha256(file, expected) {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  const got = hash.digest('hex');
  if (got !== expected) {
    throw new Error(`checksum mismatch: expected sha256 ${expected}, got ${got}; not used`);
  }
}

/** Fetches `url` into `file`; throws an Error in words. */
export async function download(url, file) {
  const proxy = process.env.HTTPS_PROXY ?? process.env.https_proxy;
  if (proxy) {
    // Node 20's fetch does not go through proxies; curl does.
    const curl = findOnPath(['curl']);
    if (curl === undefined)
      throw new Error('a proxy is set, and there is no curl to go through it');
    const args = ['-fsSL', '--connect-timeout', connectSeconds, '--max-time', downloadSeconds];
    args.push('--speed-limit', 1, '--speed-time', stallSeconds, '-o', file, url);
    const got = await run(curl, args.map(String), { limitSeconds: downloadSeconds + 5 });
    if (!got.ok) throw new Error(got.why);
    return;
  }
  const stopper = new AbortController();
  let timer;
  const expectWithin = (seconds, what) => {
    clearTimeout(timer);
    timer = setTimeout(() => stopper.abort(new Error(`${what} for ${seconds} s`)), seconds * 1000);
  };
  try {
    expectWithin(connectSeconds, 'no answer');
    const answer = await fetch(url, { signal: stopper.signal });
    if (!answer.ok || answer.body === null) throw new Error(`the answer was ${answer.status}`);
    expectWithin(stallSeconds, 'nothing came');
    const body = Readable.fromWeb(answer.body);
    body.on('data', () => expectWithin(stallSeconds, 'nothing came'));
    await pipeline(body, createWriteStream(file), { signal: stopper.signal });
  } catch (error) {
    throw new Error(reason(stopper.signal.aborted ? stopper.signal.reason : error), {
      cause: error,
    });
  } finally {
    clearTimeout(timer);
  }
}

/** The innermost message: fetch says only "fetch failed", its cause says why. */
function reason(error) {
  const cause = error?.cause;
  return cause?.message || cause?.code || error?.message || String(error);
}
