/**
 * What a benchmark reports: a figure of ours beside a baseline of the same run, since machines are
 * shared and noisy and only the ratio travels. Several rounds; the median counts, the spread is told.
 * A goal may be about the figure, its ratio to the baseline, or the difference of the two.
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
  /** All of them are to be met. */
  readonly goals?: readonly Goal[];
  readonly note?: string;
}

export interface Goal {
  readonly of: 'ours' | 'ratio' | 'difference';
  readonly is: '>=' | '<=';
  readonly value: number;
}

/** A figure with what is said of it: medians, ratio, and whether its goals were met. */
export interface JudgedFigure extends Figure {
  readonly median: number;
  readonly baseMedian: number;
  readonly ratio: number;
  readonly isMet?: boolean;
}

export function judge(figure: Figure): JudgedFigure {
  const { ours, base, goals } = figure;
  const facts = {
    ours: median(ours),
    ratio: pairedMedian(ours, base, (a, b) => a / b),
    difference: pairedMedian(ours, base, (a, b) => a - b),
  };
  const isMet = goals?.every((goal) =>
    goal.is === '>=' ? facts[goal.of] >= goal.value : facts[goal.of] <= goal.value,
  );
  return {
    ...figure,
    median: facts.ours,
    baseMedian: median(base),
    ratio: facts.ratio,
    ...(isMet === undefined ? {} : { isMet }),
  };
}

/** Rounds of the two are taken in turn, so each is held against its neighbour. */
function pairedMedian(
  ours: readonly number[],
  base: readonly number[],
  of: (a: number, b: number) => number,
): number {
  if (ours.length !== base.length) return of(median(ours), median(base));
  return median(ours.map((value, round) => of(value, base[round] ?? Number.NaN)));
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
    ['figure', 'ours', 'spread', 'baseline', 'value', 'ratio', 'goal', 'met'],
    ...figures
      .map(judge)
      .map((figure) => [
        `${figure.figure}, ${figure.unit}`,
        rounded(figure.median),
        `${rounded(Math.min(...figure.ours))} .. ${rounded(Math.max(...figure.ours))}`,
        figure.baseline,
        rounded(figure.baseMedian),
        rounded(figure.ratio),
        goalText(figure),
        figure.isMet === undefined ? '' : figure.isMet ? 'yes' : 'NO',
      ]),
  ];
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  const lines = rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  const rule = widths.map((width) => '-'.repeat(width)).join('  ');
  const notes = new Map(
    figures.flatMap(({ figure, note }) => (note === undefined ? [] : [[note, figure] as const])),
  );
  return [
    lines[0],
    rule,
    ...lines.slice(1),
    '',
    ...[...notes].map(([note, figure]) => `${figure}: ${note}`),
    '',
  ].join('\n');
}

function goalText({ goals = [], better }: Figure): string {
  if (goals.length === 0) return `(${better} is better)`;
  return goals
    .map(({ of, is, value }) => {
      const number = value.toLocaleString('en-US');
      if (of === 'ours') return `${is} ${number}`;
      return of === 'ratio' ? `${is} ${number} x` : `${is} base + ${number}`;
    })
    .join(' and ');
}

function rounded(value: number): string {
  if (!Number.isFinite(value)) return '-';
  if (Math.abs(value) >= 1_000) return Math.round(value).toLocaleString('en-US');
  return value >= 10 || value === 0 ? value.toFixed(1) : value.toFixed(2);
}
