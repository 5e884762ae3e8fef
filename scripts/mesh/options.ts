/**
 * What `npm start -- …` understands. Every problem is one clear sentence.
 */
import path from 'node:path';
import { parseArgs } from 'node:util';
import { CronmeshError } from '../../shared/errors.ts';
import { packageRoot } from '../../shared/package-root.ts';

export interface MeshOptions {
  readonly port: number;
  readonly workers: number;
  /** Absolute. */
  readonly data: string;
  /** The user's own store; undefined: the embedded file. */
  readonly store: string | undefined;
  /** The user's own etcd, comma list; undefined: one of our own. */
  readonly etcd: string | undefined;
  readonly samples: boolean;
}

export const usage = `npm start [-- OPTIONS]

The one-machine mesh: etcd, a master with the console, workers, and sample jobs.

  --port N        port of the console on 127.0.0.1 (default 8090)
  --workers N     how many workers (default 3, at most 32)
  --data DIR      where everything lies (default .cronmesh in the project's folder)
  --store URL     your MongoDB, mongodb://host/database (default: an embedded file);
                  or CRONMESH_HISTORY
  --etcd URLS     your etcd, http://host:2379[,…]; none is started then; or CRONMESH_ETCD
  --no-samples    do not create the sample jobs
  --help
`;

/**
 * Flags, and below them CRONMESH_ETCD and CRONMESH_HISTORY of the environment. Throws
 * `config-invalid` with one sentence; undefined asks for help.
 */
export function parseOptions(
  argv: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): MeshOptions | undefined {
  let values;
  try {
    ({ values } = parseArgs({
      args: [...argv],
      options: {
        port: { type: 'string', default: '8090' },
        workers: { type: 'string', default: '3' },
        data: { type: 'string' },
        store: { type: 'string' },
        etcd: { type: 'string' },
        'no-samples': { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }));
  } catch (error) {
    throw refused(error instanceof Error ? error.message : String(error));
  }
  if (values.help) return undefined;
  const store = values.store ?? nonEmpty(environment['CRONMESH_HISTORY']);
  const etcd = values.etcd ?? nonEmpty(environment['CRONMESH_ETCD']);
  if (store !== undefined && !/^(mongodb(\+srv)?:\/\/|sqlite:)./.test(store)) {
    throw refused(`--store: expected mongodb://host/database or sqlite:FILE, got "${store}"`);
  }
  if (values.data?.trim() === '') throw refused('--data: expected a folder, got ""');
  return {
    port: integer('--port', values.port, 1, 65_535),
    workers: integer('--workers', values.workers, 1, 32),
    data: path.resolve(values.data ?? path.join(packageRoot(), '.cronmesh')),
    store,
    etcd,
    samples: !values['no-samples'] && etcd === undefined,
  };
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}

function integer(name: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= least && value <= most) return value;
  throw refused(`${name}: expected a whole number from ${least} to ${most}, got "${text}"`);
}

function refused(message: string): CronmeshError {
  return new CronmeshError('config-invalid', `${message}. See npm start -- --help.`);
}
