/** Sizes as people type them: `512`, `64 KiB`, `8 MiB`, `8m`. Always powers of 1024. */
const bytesPer: Readonly<Record<string, number>> = { '': 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 };

/** In bytes, whole; undefined when it is not a size. */
export function parseBytes(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([kmg]?)(?:i?b)?$/.exec(text.trim().toLowerCase());
  if (!match) return undefined;
  return Math.round(Number(match[1]) * (bytesPer[match[2] ?? ''] ?? Number.NaN));
}

/** The shortest text that `parseBytes` reads back as the same number. */
export function writeBytes(bytes: number): string {
  for (const [unit, letter] of [
    ['MiB', 'm'],
    ['KiB', 'k'],
  ] as const) {
    const size = bytesPer[letter] ?? 1;
    if (bytes > 0 && bytes % size === 0) return `${bytes / size} ${unit}`;
  }
  return `${bytes} B`;
}
