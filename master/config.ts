/** The settings of a master: one strict schema, the source of its `--help` too. */
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
} from '../shared/config/common.ts';
import { fieldNotes } from '../shared/config/fields.ts';
import { cellsField, checkCells, masterPrefixField } from './cells/cell-settings.ts';

export const masterSchema = z
  .strictObject({
    etcd: etcdField,
    etcdCa: etcdCaField,
    etcdCert: etcdCertField,
    etcdKey: etcdKeyField,
    prefix: masterPrefixField,
    cells: cellsField,
    history: historyField,
    listen: listenField
      .prefault('127.0.0.1:8090')
      .describe('Where the API and the console are served.')
      .register(fieldNotes, { placeholder: 'HOST:PORT' }),
    allowedHosts: z
      .array(
        z.string().regex(/^[A-Za-z0-9._-]+$|^\[[0-9a-fA-F:.]+\]$/, {
          error: 'is not a host name',
        }),
      )
      .default([])
      .describe(
        'Names, without port, under which it may be asked, beside localhost; behind a proxy, the name that people use. Empty, and not bound to loopback: any.',
      )
      .register(fieldNotes, { placeholder: 'NAME,NAME' }),
    maxStreams: z
      .int()
      .min(1)
      .max(65_536)
      .default(4_096)
      .describe('Live streams that it serves at a time: of changes, and of output.')
      .register(fieldNotes, { placeholder: 'COUNT' }),
    logLevel: logLevelField,
  })
  .superRefine(checkEtcdTls)
  .superRefine(checkCells);

export type MasterConfig = Readonly<z.output<typeof masterSchema>>;
