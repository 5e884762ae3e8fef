/**
 * "Did you mean…": the candidate that is nearest to what was typed, if it is near at all.
 */

/** The first candidate with the least number of typing errors, at most a third of its length. */
export function nearestText(text: string, candidates: Iterable<string>): string | undefined {
  const typed = text.toLowerCase();
  let best: string | undefined;
  let bestErrors = Infinity;
  for (const candidate of candidates) {
    const most = Math.min(bestErrors - 1, Math.floor(candidate.length / 3));
    const errors = typingErrors(typed, candidate.toLowerCase(), most);
    if (errors > most) continue;
    best = candidate;
    bestErrors = errors;
  }
  return best;
}

/** Levenshtein's distance; anything above `most` when it is above. */
function typingErrors(a: string, b: string, most: number): number {
  if (Math.abs(a.length - b.length) > most) return most + 1;
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const changed = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(changed, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    if (Math.min(...next) > most) return most + 1;
    row = next;
  }
  return row[b.length] ?? 0;
}
