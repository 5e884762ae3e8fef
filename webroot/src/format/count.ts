const grouped = new Intl.NumberFormat('en-US');

/** `100,000`, in every language of the console. */
export function formatCount(count: number): string {
  return grouped.format(count);
}
