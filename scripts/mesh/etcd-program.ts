/**
 * The etcd program that the set-up found or fetched.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { CronmeshError } from '../../shared/errors.ts';
import { packageRoot } from '../../shared/package-root.ts';

const toolsSchema = z.object({ etcd: z.object({ path: z.string() }).loose() }).loose();

export function etcdProgram(): string {
  const file = path.join(packageRoot(), 'node_modules', '.cronmesh-tools.json');
  try {
    return toolsSchema.parse(JSON.parse(readFileSync(file, 'utf8'))).etcd.path;
  } catch (error) {
    throw new CronmeshError('config-invalid', 'etcd is not set up; run npm run setup', {
      cause: error,
    });
  }
}
