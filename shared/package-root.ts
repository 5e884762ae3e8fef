/**
 * Where this product's files lie and which version they are, wherever they were compiled to.
 */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';

const packageSchema = z.object({ name: z.literal('cronmesh'), version: z.string() });

let found: { readonly directory: string; readonly version: string } | undefined;

/** The folder of this product's package.json. */
export function packageRoot(): string {
  return find().directory;
}

/** e.g. `0.1.0`. */
export function productVersion(): string {
  return find().version;
}

function find(): { readonly directory: string; readonly version: string } {
  if (found !== undefined) return found;
  let directory = path.dirname(fileURLToPath(import.meta.url));
  for (;;) {
    const file = path.join(directory, 'package.json');
    if (existsSync(file)) {
      const parsed = packageSchema.safeParse(JSON.parse(readFileSync(file, 'utf8')));
      if (parsed.success) {
        found = { directory, version: parsed.data.version };
        return found;
      }
    }
    const parent = path.dirname(directory);
    if (parent === directory) throw new Error('package.json of cronmesh was not found');
    directory = parent;
  }
}
