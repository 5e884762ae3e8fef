/**
 * Configuration of a process: a JSON file, stronger than it the environment, stronger still the
 * command line; one strict zod object says what there is. Parsed once, frozen. All that is wrong is
 * reported together (`config-invalid`), each as key, expected, got and where it came from. Flags are
 * the kebab-case of keys; only --config and --help stand beside them.
 */
import { readFileSync } from 'node:fs';
import type { z } from 'zod';
import { CronmeshError, isCronmeshError, renderGot, type FieldProblem } from '../errors.ts';
import { problemsOf } from '../job/zod-problems.ts';
import { settingVariables } from './common.ts';
import { fieldNotes, fieldsOf, fromText, masked } from './fields.ts';
import { flagOf, helpText, valueName, variableOf } from './help-text.ts';
import { describeFault, parseJsonText } from './json-text.ts';

export interface ConfigSource<S extends z.ZodObject> {
  readonly schema: S;
  /** Variables this process listens to, and the setting of each: `{CRONMESH_ETCD: 'etcd'}`. */
  readonly envNames: Readonly<Record<string, string>>;
  /** Without the program: `process.argv.slice(2)`. */
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Read when --config names none. */
  readonly file?: string;
  /** First lines of `--help`: how the program is called, what it is. */
  readonly usage: string;
}

export type LoadedConfig<T> =
  | {
      readonly kind: 'config';
      readonly config: Readonly<T>;
      /** One line each, for the log: what is probably a slip, but stops nothing. */
      readonly warnings: readonly string[];
      /** The settings as they may be shown, secrets masked. */
      readonly shown: Readonly<Record<string, unknown>>;
    }
  | { readonly kind: 'help'; readonly text: string };

interface Setting {
  readonly value: unknown;
  /** The variable, flag or file it came from. */
  readonly from: string;
}

/** Throws `config-invalid` with every problem. */
export function loadConfig<S extends z.ZodObject>(
  source: ConfigSource<S>,
): LoadedConfig<z.output<S>> {
  const problems: FieldProblem[] = [];
  const flags = readFlags(source, problems);
  if (flags.help)
    return { kind: 'help', text: helpText(source.usage, fieldsOf(source.schema), source.envNames) };
  const settings = new Map<string, Setting>();
  for (const layer of [
    readFile(flags.file ?? source.file, problems),
    readEnvironment(source),
    flags.settings,
  ]) {
    for (const [key, setting] of layer) settings.set(key, setting);
  }
  const config = parse(source.schema, settings, problems);
  if (config === undefined || problems.length > 0) {
    const count =
      problems.length === 1 ? 'one setting is wrong' : `${problems.length} settings are wrong`;
    throw new CronmeshError('config-invalid', count, { problems });
  }
  return {
    kind: 'config',
    config: deepFreeze(config),
    warnings: unknownVariables(source),
    shown: shownSettings(source.schema, config),
  };
}

/** The block a person reads on a terminal when a process cannot start for its settings. */
export function describeConfigError(process: string, error: unknown): string {
  if (!isCronmeshError(error, 'config-invalid')) throw error;
  const lines = error.problems.map(
    ({ field, message, expected, got }) =>
      `  ${field}: ${message}\n      expected ${expected}\n      got      ${got}`,
  );
  return [
    `${process} cannot start: ${error.message}.`,
    ...lines,
    'Every setting is listed by --help.',
    '',
  ].join('\n');
}

function parse<S extends z.ZodObject>(
  schema: S,
  settings: ReadonlyMap<string, Setting>,
  problems: FieldProblem[],
): z.output<S> | undefined {
  const input = Object.fromEntries([...settings].map(([key, { value }]) => [key, value]));
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  const fields = fieldsOf(schema);
  for (const problem of problemsOf(parsed.error, input)) {
    const [key = '', ...below] = problem.field.split('/').slice(1);
    const setting = settings.get(key);
    const field = [key, ...below].join('.');
    const known = fields.get(key);
    const got =
      known !== undefined && fieldNotes.get(known)?.mask !== undefined
        ? renderGot(masked(known, setting?.value))
        : problem.got;
    problems.push(
      known === undefined
        ? {
            field,
            message: 'is not a setting',
            expected: `one of ${[...fields.keys()].join(', ')}`,
            got: withSource(renderGot(key), setting),
          }
        : { ...problem, field, got: withSource(got, setting) },
    );
  }
  return undefined;
}

function withSource(got: string, setting: Setting | undefined): string {
  return setting === undefined ? got : `${got} (from ${setting.from})`;
}

function readFile(file: string | undefined, problems: FieldProblem[]): Map<string, Setting> {
  const settings = new Map<string, Setting>();
  if (file === undefined) return settings;
  const refuse = (message: string, got: string): Map<string, Setting> => {
    problems.push({
      field: 'config',
      message,
      expected: 'a readable file of one JSON object',
      got,
    });
    return settings;
  };
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    return refuse(`${file} cannot be read`, systemCode(error));
  }
  const parsed = parseJsonText(text.replace(/^\uFEFF/, ''));
  if (!parsed.ok) return refuse(`${file} is not JSON`, describeFault(parsed.fault));
  const { value } = parsed;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return refuse(`${file} is not a JSON object`, Array.isArray(value) ? 'an array' : typeof value);
  }
  for (const [key, setting] of Object.entries(value)) {
    settings.set(key, { value: setting, from: file });
  }
  return settings;
}

function readEnvironment(source: ConfigSource<z.ZodObject>): Map<string, Setting> {
  const settings = new Map<string, Setting>();
  const fields = fieldsOf(source.schema);
  for (const [name, key] of Object.entries(source.envNames)) {
    const text = source.env[name];
    const schema = fields.get(key);
    // Set but empty is how an environment file says "not set".
    if (text === undefined || text === '' || schema === undefined) continue;
    settings.set(key, { value: fromText(schema, text), from: name });
  }
  return settings;
}

interface Flags {
  readonly help: boolean;
  readonly file: string | undefined;
  readonly settings: Map<string, Setting>;
}

function readFlags(source: ConfigSource<z.ZodObject>, problems: FieldProblem[]): Flags {
  const { argv } = source;
  const fields = fieldsOf(source.schema);
  const keys = new Map([...fields.keys()].map((key) => [flagOf(key), key]));
  const settings = new Map<string, Setting>();
  let file: string | undefined;
  const refuse = (field: string, message: string, expected: string, got: string): void => {
    problems.push({ field, message, expected, got });
  };
  for (let index = 0; index < argv.length; index++) {
    const word = argv[index] ?? '';
    if (word === '--help' || word === '-h') return { help: true, file, settings };
    const [, flag = '', inline] = /^(--[^=]+)(?:=([\s\S]*))?$/.exec(word) ?? [];
    const key = keys.get(flag);
    if (flag !== '--config' && key === undefined) {
      const known = ['--config', ...keys.keys(), '--help'].join(', ');
      refuse(flag === '' ? word : flag, 'is not a flag', `one of ${known}`, renderGot(word));
      // What follows an unknown flag is most likely its value.
      if (flag !== '' && inline === undefined && argv[index + 1]?.startsWith('-') === false)
        index++;
      continue;
    }
    const next = argv[index + 1];
    const text = inline ?? (next?.startsWith('--') === true ? undefined : next);
    if (inline === undefined && text !== undefined) index++;
    const field = key === undefined ? undefined : fields.get(key);
    if (text === undefined || text === '') {
      refuse(flag, 'has no value', valueName(field), 'nothing');
    } else if (key === undefined || field === undefined) {
      file = text;
    } else if (masked(field, text) !== text) {
      const variable = variableOf(source.envNames, key);
      refuse(
        flag,
        'holds a secret',
        `the secret in a file${variable === undefined ? '' : ` or in ${variable}`}, since anybody can read a command line`,
        renderGot(masked(field, text)),
      );
    } else if (settings.has(key)) {
      refuse(flag, 'is given twice', 'one value', renderGot(text));
    } else {
      settings.set(key, { value: fromText(field, text), from: flag });
    }
  }
  return { help: false, file, settings };
}

function unknownVariables(source: ConfigSource<z.ZodObject>): string[] {
  const known = new Set([...Object.keys(settingVariables), ...Object.keys(source.envNames)]);
  return Object.keys(source.env)
    .filter((name) => /^CRONMESH_(?!TEST_)/.test(name) && !known.has(name))
    .toSorted()
    .map(
      (name) =>
        `${name} is set but is no setting and has no effect; the settings are ${[...known].join(', ')}`,
    );
}

function shownSettings(schema: z.ZodObject, config: object): Record<string, unknown> {
  const fields = fieldsOf(schema);
  return Object.fromEntries(
    Object.entries(config).map(([key, value]: [string, unknown]) => {
      const field = fields.get(key);
      return [key, field === undefined ? value : masked(field, value)];
    }),
  );
}

function systemCode(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message;
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const part of Object.values(value) as unknown[]) deepFreeze(part);
  }
  return value;
}
