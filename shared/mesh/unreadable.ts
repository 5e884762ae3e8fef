/**
 * Keys of the mesh whose values this version cannot read: somebody's hand, or a newer version. Whoever
 * decides takes an open fire among them for a run that may be there, and gets a trigger out of the way;
 * whoever displays shows them all, with what is wrong.
 */
import type { z } from 'zod';
import { renderGot, type FieldProblem } from '../errors.ts';
import type { KeyValue } from '../etcd/port.ts';
import { problemsOf, summaryOf } from '../job/zod-problems.ts';

const shownProblems = 3;

export interface UnreadableKey {
  readonly key: string;
  readonly modRevision: number;
  /** A newer version wrote it, and knows what it means. */
  readonly isNewer: boolean;
  readonly problems: readonly FieldProblem[];
}

/** What is wrong with a value that `schema` refuses. */
export function explainUnreadable(schema: z.ZodType, kv: KeyValue): UnreadableKey {
  const { key, modRevision } = kv;
  const text = kv.value.toString();
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    const problem = { field: '', message: 'is not JSON', expected: 'JSON', got: renderGot(text) };
    return { key, modRevision, isNewer: false, problems: [problem] };
  }
  const { error } = schema.safeParse(value);
  const problems = error === undefined ? [] : problemsOf(error, value);
  return { key, modRevision, isNewer: versionOf(value) > 1, problems };
}

/** One line for a reason or a note. */
export function unreadableText({ key, isNewer, problems }: UnreadableKey): string {
  if (isNewer) return `${key} was written by a newer version`;
  return `${key} cannot be read: ${summaryOf(problems.slice(0, shownProblems))}`;
}

function versionOf(value: unknown): number {
  const version: unknown =
    typeof value === 'object' && value !== null ? Reflect.get(value, 'v') : undefined;
  return typeof version === 'number' ? version : 1;
}
