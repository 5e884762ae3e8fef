/**
 * The setting `cells`: several meshes below prefixes of their own in one etcd, `NAME=PREFIX` each.
 * A name stands in addresses, in metrics and in the name of a history database, so it is plain:
 * lower case, and no dot, which MongoDB refuses. No two may share a key or a store.
 */
import { z } from 'zod';
import { defaultPrefix, prefixSchema } from '../../shared/config/common.ts';
import { fieldNotes } from '../../shared/config/fields.ts';
import { renderGot } from '../../shared/errors.ts';

export interface CellSetting {
  readonly name: string;
  readonly prefix: string;
}

/** One mesh that a master serves. */
export interface MeshPlace {
  /** Absent for the one that has no name. */
  readonly name?: string;
  readonly prefix: string;
  readonly history: string;
}

interface MeshSettings {
  readonly prefix?: string | undefined;
  readonly cells?: readonly CellSetting[] | undefined;
  readonly history: string;
}

const maxCells = 16;
const namePattern = /^[a-z0-9](?:[a-z0-9_-]{0,30}[a-z0-9])?$/;
/** In `history`, stands for the name of each cell. */
const namePlace = '{cell}';

const cellSchema = z.string().transform((text, context): CellSetting => {
  const refuse = (message: string, expected: string): never => {
    context.addIssue({ code: 'custom', message, params: { expected } });
    return z.NEVER;
  };
  const [, name, prefix] = /^([^=]*)=(.*)$/s.exec(text) ?? [];
  if (name === undefined || prefix === undefined) {
    return refuse('is not a cell', 'NAME=PREFIX, such as "berlin=/cron-berlin"');
  }
  if (!namePattern.test(name)) {
    return refuse(
      'does not begin with the name of a cell',
      '1 to 32 lower-case letters, digits, "_" or "-" before the "=", beginning and ending with a letter or digit',
    );
  }
  if (!prefixSchema.safeParse(prefix).success) {
    return refuse(
      'does not end with a key prefix',
      'a path after the "=" that begins with "/" and does not end with it, such as "/cron"',
    );
  }
  return { name, prefix };
});

export const cellsField = z
  .array(cellSchema)
  .min(1, { error: 'names no cell' })
  .max(maxCells)
  .superRefine((cells, context) => {
    for (const [index, cell] of cells.entries()) {
      const before = cells.slice(0, index);
      const refuse = (message: string, expected: string): void => {
        const got = renderGot(`${cell.name}=${cell.prefix}`);
        context.addIssue({ code: 'custom', path: [index], message, params: { expected, got } });
      };
      if (before.some(({ name }) => name === cell.name)) {
        refuse('is named as another cell', 'a name of its own for each cell');
      }
      const other = before.find(({ prefix }) => areNested(prefix, cell.prefix));
      if (other !== undefined) {
        refuse(
          `shares keys with the cell ${renderGot(other.name)}`,
          `a prefix that is neither ${renderGot(other.prefix)} nor below or above it`,
        );
      }
    }
  })
  .optional()
  .describe(
    `Several meshes of one etcd, in place of prefix. ${namePlace} in history is the name of each.`,
  )
  .register(fieldNotes, { placeholder: 'NAME=PREFIX,NAME=PREFIX' });

export const masterPrefixField = prefixSchema
  .optional()
  .describe(`All keys of this mesh stand below it. Default ${defaultPrefix}, without cells.`)
  .register(fieldNotes, { placeholder: '/PATH' });

/** For `superRefine`: prefix or cells, and a store of its own for each cell. */
export function checkCells(settings: MeshSettings, context: z.core.$RefinementCtx): void {
  const { prefix, cells, history } = settings;
  const refuse = (key: string, message: string, expected: string): void => {
    context.addIssue({ code: 'custom', path: [key], message, params: { expected } });
  };
  if (cells !== undefined && prefix !== undefined) {
    refuse('prefix', 'stands beside cells', 'either prefix or cells, which have one each');
  }
  // An option or a password would tell no store from another.
  const place = history.replace(/^mongodb([^/]*\/\/)(?:[^/]*@)?([^?]*).*$/s, '$1$2');
  const isPerCell = place.includes(namePlace);
  if (cells !== undefined && cells.length > 1 && !isPerCell) {
    refuse(
      'history',
      'is one store for several cells',
      `${namePlace} in its name, for which the name of each cell is put, such as "mongodb://host:27017/cronmesh-${namePlace}"`,
    );
  }
  if (cells === undefined && isPerCell) {
    refuse('history', `has ${namePlace} in it, but there are no cells`, 'the name of one store');
  }
}

/** The meshes to serve: one without a name, or every cell. */
export function meshPlaces({ prefix, cells, history }: MeshSettings): readonly MeshPlace[] {
  if (cells === undefined) return [{ prefix: prefix ?? defaultPrefix, history }];
  return cells.map((cell) => ({ ...cell, history: history.replaceAll(namePlace, cell.name) }));
}

/** True when keys of one are keys of the other. */
function areNested(a: string, b: string): boolean {
  return `${a}/`.startsWith(`${b}/`) || `${b}/`.startsWith(`${a}/`);
}
