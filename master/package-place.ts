/** Where this package lies, and its version; found from this file upwards, so built code finds it too. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';

export interface PackagePlace {
  readonly folder: string;
  readonly version: string;
}

export function findPackage(): PackagePlace {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) {
    const parent = dirname(folder);
    if (parent === folder) throw new Error('no package.json above the program');
    folder = parent;
  }
  const manifest: unknown = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  return { folder, version: z.object({ version: z.string() }).parse(manifest).version };
}
