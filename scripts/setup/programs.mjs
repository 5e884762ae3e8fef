/**
 * Finding one program: its sources are tried in order, what each gives is run once to see that it
 * works here, and the first that does is noted in the tools file. Each refusal is kept for the
 * error at the end.
 */
import { Attempts, SetupError } from './progress.mjs';
import { findOnPath, isExecutable, run } from './command.mjs';

/**
 * @typedef {object} Source
 * @property {string} what for the error: where this looked
 * @property {string} how for the line of progress: how it came here
 * @property {(announce: (text: string) => void) => Promise<string | undefined>} get
 *   the program's path; undefined when it is not there; throws an Error in words
 */

/**
 * @param {import('./tools-file.mjs').ToolsFile} tools
 * @param {string} name
 * @param {{sources: Source[], probe: (path: string) => Promise<string>, advice: string}} program
 * @param {(text: string) => void} announce
 * @returns {Promise<string>} the text of the line of progress
 */
export async function provide(tools, name, { sources, probe, advice }, announce) {
  const attempts = new Attempts();
  for (const source of sources) {
    try {
      const path = await source.get(announce);
      if (path === undefined) {
        attempts.failed(source.what, 'not there');
        continue;
      }
      const version = tools.known(name, path)?.version ?? (await probe(path));
      await tools.set(name, { path, version, source: source.how });
      return `${source.how} ${path} (${version})`;
    } catch (error) {
      attempts.failed(source.what, error.message);
    }
  }
  throw new SetupError(`${name} could not be found or fetched.`, attempts.list, advice);
}

/** The source that every program has first. */
export function onPath(names, alsoIn) {
  return {
    what: `${names.join(', ')} on PATH`,
    how: 'found',
    get: async () => findOnPath(names, alsoIn),
  };
}

/** The source of what an earlier run fetched. */
export function cached(what, path) {
  return {
    what: `${what}, ${path}`,
    how: 'cached',
    get: async () => (isExecutable(path) ? path : undefined),
  };
}

/** A probe that runs `<path> <args>` and takes its version from the first group of `pattern`. */
export function versionBy(args, pattern, env) {
  return async (path) => {
    const result = await run(path, args, { limitSeconds: 30, env });
    if (!result.ok) throw new Error(`${path} does not run: ${result.why}`);
    const match = pattern.exec(result.stdout + result.stderr);
    if (match === null) throw new Error(`${path} does not say its version`);
    return match[1];
  };
}
