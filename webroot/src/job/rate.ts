/** A share as a percentage that never says 100 while something failed, nor 0 while something did not. */
export function formatRate(rate: number | undefined, language: string): string | undefined {
  if (rate === undefined) return undefined;
  const shown = rate === 1 || rate === 0 ? rate : Math.min(0.999, Math.max(0.001, rate));
  return new Intl.NumberFormat(language, { style: 'percent', maximumFractionDigits: 1 }).format(
    shown,
  );
}
