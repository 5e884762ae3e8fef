/**
 * What a setting's schema cannot say by itself: how its value is named in `--help`, and what in it
 * is secret. A secret comes only from a file or the environment, since anybody on the machine can
 * read a command line, and is masked wherever a setting is shown.
 */
import { z } from 'zod';

export interface FieldNotes {
  /** Stands for the value in `--help`, such as `HOST:PORT`. */
  readonly placeholder?: string;
  /** The value without its secret part; equal to the value when there is none in it. */
  readonly mask?: (value: unknown) => unknown;
}

/** Register the outermost schema of a setting: `schema.register(fieldNotes, {...})`. */
export const fieldNotes = z.registry<FieldNotes>();

/** The settings of a process, by key. */
export function fieldsOf(schema: z.ZodObject): ReadonlyMap<string, z.ZodType> {
  const fields = new Map<string, z.ZodType>();
  for (const [key, field] of Object.entries(schema.shape) as [string, unknown][]) {
    if (field instanceof z.ZodType) fields.set(key, field);
  }
  return fields;
}

/** The value as it may be shown. */
export function masked(schema: z.ZodType, value: unknown): unknown {
  const mask = fieldNotes.get(schema)?.mask;
  return mask === undefined ? value : mask(value);
}

/** How the text of a flag or a variable becomes the setting's type; zod judges the result. */
export function fromText(schema: z.ZodType, text: string): unknown {
  switch (kindOf(schema)) {
    case 'number':
      return /^[+-]?\d+(\.\d+)?$/.test(text) ? Number(text) : text;
    case 'boolean':
      return text === 'true' ? true : text === 'false' ? false : text;
    case 'array':
      return text
        .split(',')
        .map((part) => part.trim())
        .filter((part) => part !== '');
    default:
      return text;
  }
}

/** The type below defaults, optionals and transforms. */
export function kindOf(schema: z.ZodType): string {
  let current: unknown = schema;
  for (;;) {
    if (
      current instanceof z.ZodDefault ||
      current instanceof z.ZodPrefault ||
      current instanceof z.ZodOptional ||
      current instanceof z.ZodReadonly
    ) {
      current = current.def.innerType;
    } else if (current instanceof z.ZodPipe) {
      current = current.def.in;
    } else {
      return current instanceof z.ZodType ? current.def.type : 'unknown';
    }
  }
}

/** The default as it stands in the schema; undefined when there is none. */
export function defaultOf(schema: z.ZodType): unknown {
  let current: unknown = schema;
  for (;;) {
    if (current instanceof z.ZodDefault || current instanceof z.ZodPrefault) {
      return current.def.defaultValue;
    }
    if (current instanceof z.ZodOptional || current instanceof z.ZodReadonly) {
      current = current.def.innerType;
    } else if (current instanceof z.ZodPipe) {
      current = current.def.in;
    } else {
      return undefined;
    }
  }
}
