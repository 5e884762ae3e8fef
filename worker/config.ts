/**
 * A worker's settings: file, environment, flags, one schema.
 */
import os from 'node:os';
import { z } from 'zod';
import {
  checkEtcdTls,
  etcdCaField,
  etcdCertField,
  etcdField,
  etcdKeyField,
  historyField,
  listenField,
  logLevelField,
  prefixField,
} from '../shared/config/common.ts';
import { fieldNotes } from '../shared/config/fields.ts';
import { isValidName, nameExpectation } from '../shared/job/job-name.ts';
import { longestSessionTtlSeconds } from '../shared/protocol/values.ts';

export const workerConfigSchema = z
  .strictObject({
    etcd: etcdField,
    etcdCa: etcdCaField,
    etcdCert: etcdCertField,
    etcdKey: etcdKeyField,
    prefix: prefixField,
    history: historyField,
    workerId: z
      .string()
      .refine(isValidName, {
        error: 'is not a usable id',
        params: { expected: nameExpectation },
      })
      .default(() => os.hostname())
      .describe('Unique among the workers of the mesh. Default: the host’s name.')
      .register(fieldNotes, { placeholder: 'NAME' }),
    slots: z
      .int()
      .min(1)
      .max(10_000)
      .default(16)
      .describe('How many runs at a time.')
      .register(fieldNotes, { placeholder: 'N' }),
    data: z
      .string()
      .min(1)
      .default('/var/lib/cronmesh/worker')
      .describe('Folder of the spool and of the runs’ default working directory; one per worker.')
      .register(fieldNotes, { placeholder: 'DIR' }),
    spoolMaxBytes: z
      .int()
      .min(16 * 1024 * 1024)
      .default(1024 * 1024 * 1024)
      .describe('Bound of the spool on disk; when nearly full, nothing is claimed.')
      .register(fieldNotes, { placeholder: 'BYTES' }),
    sessionTtlSeconds: z
      .int()
      .min(5)
      .max(longestSessionTtlSeconds)
      .default(15)
      .describe('Lease of the worker’s session; a vanished worker is noticed after it.')
      .register(fieldNotes, { placeholder: 'SECONDS' }),
    etcdMaxTxnOps: z
      .int()
      .min(8)
      .max(65_536)
      .default(128)
      .describe('The servers’ --max-txn-ops: how many claims can travel in one request.')
      .register(fieldNotes, { placeholder: 'N' }),
    cgroups: z
      .boolean()
      .default(false)
      .describe(
        'A cgroup for every run, where the system grants it; starts take about 10 ms longer.',
      )
      .register(fieldNotes, { placeholder: 'true|false' }),
    drainSeconds: z
      .number()
      .min(0)
      .max(86_400)
      .default(30)
      .describe('After SIGTERM, how long runs may finish before they are ended.')
      .register(fieldNotes, { placeholder: 'SECONDS' }),
    path: z
      .string()
      .min(1)
      .optional()
      .describe('PATH of the runs.')
      .register(fieldNotes, { placeholder: 'PATH' }),
    listen: listenField
      .optional()
      .describe('host:port for metrics; without it the worker opens no port.')
      .register(fieldNotes, { placeholder: 'HOST:PORT' }),
    logLevel: logLevelField,
  })
  .superRefine(checkEtcdTls);

export type WorkerConfig = Readonly<z.output<typeof workerConfigSchema>>;

export const workerVariables = {
  CRONMESH_ETCD: 'etcd',
  CRONMESH_ETCD_CA: 'etcdCa',
  CRONMESH_ETCD_CERT: 'etcdCert',
  CRONMESH_ETCD_KEY: 'etcdKey',
  CRONMESH_PREFIX: 'prefix',
  CRONMESH_HISTORY: 'history',
  CRONMESH_LISTEN: 'listen',
  CRONMESH_WORKER_ID: 'workerId',
  CRONMESH_SLOTS: 'slots',
  CRONMESH_DATA: 'data',
  CRONMESH_LOG_LEVEL: 'logLevel',
} as const;
