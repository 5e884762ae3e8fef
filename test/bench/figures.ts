/**
 * What a benchmark reports: a figure of ours beside a baseline of the same run, since machines are
 * shared and noisy and only the ratio travels. Several rounds; the median counts, the spread is told.
 */
export interface Figure {
  readonly figure: string;
  readonly unit: string;
  readonly ours: readonly number[];
  /** What it is compared with, and its rounds. */
  readonly baseline: string;
  readonly base: readonly number[];
  /** 'more' when a higher figure is better. */
  readonly better: 'more' | 'less';
  readonly note?: string;
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** Nearest rank. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return (
    sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(q * sorted.length) - 1))] ?? Number.NaN
  );
}

export function printTable(figures: readonly Figure[]): string {
  const rows = [
    ['figure', 'ours', 'spread', 'baseline', 'value', 'ours / baseline'],
    ...figures.map((figure) => [
      `${figure.figure}, ${figure.unit}`,
      round(median(figure.ours)),
      `${round(Math.min(...figure.ours))} .. ${round(Math.max(...figure.ours))}`,
      figure.baseline,
      round(median(figure.base)),
      `${round(median(figure.ours) / median(figure.base))} (${figure.better} is better)`,
    ]),
  ];
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  const lines = rows.map((row) =>
    row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '),
  );
  const rule = widths.map((width) => '-'.repeat(width)).join('  ');
  const notes = figures.flatMap(({ figure, note }) =>
    note === undefined ? [] : [`${figure}: ${note}`],
  );
  return [lines[0], rule, ...lines.slice(1), '', ...notes, ''].join('\n');
}

function round(value: number): string {
  if (value >= 1_000) return Math.round(value).toLocaleString('en-US');
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}
