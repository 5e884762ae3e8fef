/** Names and values as rows of a form: they keep their place while their name is being typed. */
export interface Pair {
  readonly id: number;
  readonly key: string;
  readonly value: string;
}

let lastPairId = 0;

export function createPair(key: string, value: string): Pair {
  lastPairId += 1;
  return { id: lastPairId, key, value };
}

export function pairsOf(record: Readonly<Record<string, string>>): Pair[] {
  return Object.entries(record).map(([key, value]) => createPair(key, value));
}

/** Pasted `NAME=value` lines, with or without `export` and quotes around the value. */
export function pairsOfLines(text: string): Pair[] {
  return text
    .split('\n')
    .map((line) => /^\s*(?:export\s+)?([A-Za-z_][\w./-]*)=(.*?)\s*$/.exec(line))
    .filter((match) => match !== null)
    .map((match) => createPair(match[1] ?? '', unquote(match[2] ?? '')));
}

function unquote(value: string): string {
  return /^(["'])(.*)\1$/s.exec(value)?.[2] ?? value;
}
