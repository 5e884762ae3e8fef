/** The `--help` of a process, made from the descriptions and defaults of its settings. */
import type { z } from 'zod';
import { defaultOf, fieldNotes, kindOf } from './fields.ts';

export function helpText(
  usage: string,
  fields: ReadonlyMap<string, z.ZodType>,
  envNames: Readonly<Record<string, string>>,
): string {
  const rows: [left: string, right: string][] = [
    ['--config FILE', 'JSON file with any of these settings, named as the flags in camelCase.'],
  ];
  for (const [key, schema] of fields) {
    const standard = defaultOf(schema);
    const variable = variableOf(envNames, key);
    const notes = [
      schema.description ?? '',
      standard === undefined ? '' : `Default ${textOf(standard)}.`,
      variable === undefined ? '' : `[${variable}]`,
    ];
    rows.push([
      `${flagOf(key)} ${valueName(schema)}`,
      notes.filter((note) => note !== '').join(' '),
    ]);
  }
  rows.push(['--help', 'This text.']);
  const width = Math.max(...rows.map(([left]) => left.length)) + 2;
  return [
    usage,
    '',
    ...rows.map(([left, right]) => `  ${left.padEnd(width)}${right}`),
    '',
    'A flag is stronger than its variable, a variable stronger than the file.',
    '',
  ].join('\n');
}

/** The kebab-case of a key: `logLevel` is `--log-level`. */
export function flagOf(key: string): string {
  return `--${key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** What stands for the value of a flag. */
export function valueName(schema: z.ZodType | undefined): string {
  if (schema === undefined) return 'FILE';
  return fieldNotes.get(schema)?.placeholder ?? kindOf(schema).toUpperCase();
}

export function variableOf(
  envNames: Readonly<Record<string, string>>,
  key: string,
): string | undefined {
  return Object.entries(envNames).find(([, name]) => name === key)?.[0];
}

function textOf(value: unknown): string {
  return typeof value === 'string'
    ? value
    : Array.isArray(value)
      ? value.join(',')
      : JSON.stringify(value);
}
