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
  --store URL     your MongoDB, mongodb://host/database (default: an embedded file)
  --etcd URLS     your etcd, http://host:2379[,…]; none is started then
  --no-samples    do not create the sample jobs
  --help
`;

/** Throws `config-invalid` with one sentence; undefined asks for help. */
export function parseOptions(argv: readonly string[]): MeshOptions | undefined {
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
  if (values.store !== undefined && !/^(mongodb(\+srv)?:\/\/|sqlite:)./.test(values.store)) {
    throw refused(
      `--store: expected mongodb://host/database or sqlite:FILE, got "${values.store}"`,
    );
  }
  if (values.data?.trim() === '') throw refused('--data: expected a folder, got ""');
  return {
    port: integer('--port', values.port, 1, 65_535),
    workers: integer('--workers', values.workers, 1, 32),
    data: path.resolve(values.data ?? path.join(packageRoot(), '.cronmesh')),
    store: values.store,
    etcd: values.etcd,
    samples: !values['no-samples'] && values.etcd === undefined,
  };
}

function integer(name: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= least && value <= most) return value;
  throw refused(`${name}: expected a whole number from ${least} to ${most}, got "${text}"`);
}

function refused(message: string): CronmeshError {
  return new CronmeshError('config-invalid', `${message}. See npm start -- --help.`);
}
