/** A count of fires; beyond this nobody counts, and it stands for so many or more. */
const mostCounted = 10_000;

export function countedText(count: number): string {
  const digits = count.toLocaleString('en');
  return count >= mostCounted ? `${digits}+` : digits;
}
