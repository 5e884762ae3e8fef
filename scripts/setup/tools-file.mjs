/**
 * node_modules/.cronmesh-tools.json: where the programs are that the set-up found or fetched, for
 * the supervisor behind `npm start` and for the tests. One object, program name to
 * `{path, version, source, stamp}`; `stamp` is the file's size and time, by which the next set-up
 * knows that it need not run the program again to learn its version.
 */
import { statSync } from 'node:fs';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export class ToolsFile {
  #path;
  #tools = {};

  constructor(root) {
    this.#path = join(root, 'node_modules', '.cronmesh-tools.json');
  }

  async load() {
    try {
      this.#tools = JSON.parse(await readFile(this.#path, 'utf8'));
    } catch {
      this.#tools = {};
    }
  }

  /** What is known of `name` if it is still the file at `path`; else undefined. */
  known(name, path) {
    const tool = this.#tools[name];
    return tool && tool.path === path && tool.stamp === stampOf(path) ? tool : undefined;
  }

  get(name) {
    const tool = this.#tools[name];
    return tool && tool.stamp === stampOf(tool.path) ? tool : undefined;
  }

  async set(name, { path, version, source }) {
    const tool = { path, version, source, stamp: stampOf(path) };
    if (JSON.stringify(this.#tools[name]) === JSON.stringify(tool)) return;
    this.#tools[name] = tool;
    await writeFile(`${this.#path}.new`, `${JSON.stringify(this.#tools, null, 2)}\n`);
    await rename(`${this.#path}.new`, this.#path);
  }
}

function stampOf(path) {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat === undefined ? undefined : `${stat.size}-${stat.mtimeMs}`;
}
