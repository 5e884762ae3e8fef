/**
 * JSON from people: parses like JSON.parse, but says where a text stops being JSON (line, column)
 * without quoting it, for the text may hold secrets. JSON.parse itself names no place for short
 * texts, and its wording differs between versions of the engine.
 */
export interface JsonFault {
  /** From 1. */
  readonly line: number;
  /** From 1, in UTF-16 units. */
  readonly column: number;
  /** What should have stood there. */
  readonly expected: string;
}

export type JsonResult =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly fault: JsonFault };

export function parseJsonText(text: string): JsonResult {
  try {
    return { ok: true, value: JSON.parse(text) as unknown };
  } catch {
    return { ok: false, fault: findFault(text) };
  }
}

/** `line 3, column 7: a comma or "}" was expected`. */
export function describeFault(fault: JsonFault): string {
  return `line ${fault.line}, column ${fault.column}: ${fault.expected} was expected`;
}

class Fault extends Error {
  readonly offset: number;
  readonly expected: string;

  constructor(offset: number, expected: string) {
    super(expected);
    this.offset = offset;
    this.expected = expected;
  }
}

function findFault(text: string): JsonFault {
  let offset = 0;
  let expected = 'JSON';
  try {
    scanDocument(text);
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    ({ offset, expected } = error);
  }
  const before = text.slice(0, offset);
  const line = before.split('\n').length;
  return { line, column: offset - (before.lastIndexOf('\n') + 1) + 1, expected };
}

/** One pass without recursion, so that ten thousand opening brackets are no danger either. */
function scanDocument(text: string): void {
  const open: ('{' | '[')[] = [];
  let at = skipSpace(text, 0);
  for (;;) {
    at = skipSpace(text, scanValueStart(text, at, open));
    for (;;) {
      const inside = open.at(-1);
      if (inside === undefined) {
        if (at < text.length) throw new Fault(at, 'the end');
        return;
      }
      const close = inside === '{' ? '}' : ']';
      if (text[at] === close) {
        open.pop();
        at = skipSpace(text, at + 1);
        continue;
      }
      if (text[at] !== ',') throw new Fault(at, `a comma or "${close}"`);
      at = skipSpace(text, at + 1);
      if (inside === '{') at = scanKey(text, at);
      break;
    }
  }
}

/** Consumes a scalar or an empty container; an opened one is pushed and its first value begun. */
function scanValueStart(text: string, from: number, open: ('{' | '[')[]): number {
  let at = from;
  for (;;) {
    const char = text[at];
    if (char === '{') {
      const next = skipSpace(text, at + 1);
      if (text[next] === '}') return next + 1;
      open.push('{');
      at = scanKey(text, next);
    } else if (char === '[') {
      const next = skipSpace(text, at + 1);
      if (text[next] === ']') return next + 1;
      open.push('[');
      at = next;
    } else {
      return char === '"' ? scanString(text, at) : scanScalar(text, at);
    }
  }
}

function scanKey(text: string, from: number): number {
  if (text[from] !== '"') throw new Fault(from, 'a field name in double quotes');
  const end = skipSpace(text, scanString(text, from));
  if (text[end] !== ':') throw new Fault(end, 'a colon');
  return skipSpace(text, end + 1);
}

function scanString(text: string, from: number): number {
  for (let at = from + 1; at < text.length; at++) {
    const char = text[at];
    if (char === '"') return at + 1;
    if (char !== undefined && char < ' ') throw new Fault(at, 'an escape such as \\n, or a quote');
    if (char !== '\\') continue;
    const escape = /^(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/.exec(text.slice(at + 1, at + 6));
    if (escape === null) throw new Fault(at + 1, 'a valid escape after the backslash');
    at += escape[0].length;
  }
  throw new Fault(text.length, 'a closing double quote');
}

const scalar = /(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)(?![\w.+-])/y;

function scanScalar(text: string, from: number): number {
  scalar.lastIndex = from;
  const match = scalar.exec(text);
  if (match === null) throw new Fault(from, 'a value');
  return from + match[0].length;
}

function skipSpace(text: string, from: number): number {
  let at = from;
  while (at < text.length && ' \t\n\r'.includes(text[at] ?? '')) at++;
  return at;
}
