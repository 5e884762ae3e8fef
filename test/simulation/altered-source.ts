/**
 * The code of the product with one text in one file of it replaced, loaded beside the untouched one:
 * so a rule that lies in the middle of the code can be taken out without a switch for it in the code.
 * A text that is not there, or not once, is an error: the rule has moved, and its mutant must follow.
 */
import { existsSync } from 'node:fs';
import { register } from 'node:module';
import type { simulate } from './simulate.ts';

export interface SourceEdit {
  /** Below the root of the compiled code, without its ending. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

/** What the hooks are told. */
export type SourceEdits = Readonly<Record<string, SourceEdit>>;

const ending = import.meta.url.slice(-3);
let isPrepared = false;

/** Names every edit that will be asked for, once; the hooks live in a thread of their own. */
export function prepareEdits(edits: SourceEdits): void {
  if (isPrepared) return;
  isPrepared = true;
  register(`./source-hooks${ending}`, { parentURL: import.meta.url, data: edits });
}

/** simulate(), over a code of its own with that edit. */
export async function simulateEdited(id: string, edit: SourceEdit): Promise<typeof simulate> {
  // The hooks only see files that are loaded: one that was moved would never be edited.
  const file = new URL(`../../${edit.file}${ending}`, import.meta.url);
  if (!existsSync(file)) throw new Error(`${id}: there is no ${edit.file}`);
  const loaded: unknown = await import(`./simulate${ending}?edit=${encodeURIComponent(id)}`);
  return (loaded as { simulate: typeof simulate }).simulate;
}
