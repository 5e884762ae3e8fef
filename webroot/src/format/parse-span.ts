/** Spans of time as people type them: `90`, `90s`, `15m`, `1h 30m`, `1d`. */
const secondsPer: Readonly<Record<string, number>> = {
  s: 1,
  m: 60,
  h: 3600,
  d: 86_400,
};
const secondsInDay = 86_400;

/** In seconds; undefined when it is not a span. A number alone is seconds. */
export function parseSeconds(text: string): number | undefined {
  const trimmed = text.trim().toLowerCase();
  if (/^\d+(\.\d+)?$/.test(trimmed)) return Number(trimmed);
  if (!/^(\d+(\.\d+)?\s*[smhd]\s*)+$/.test(trimmed)) return undefined;
  let seconds = 0;
  for (const [, amount, unit] of trimmed.matchAll(/(\d+(?:\.\d+)?)\s*([smhd])/g)) {
    seconds += Number(amount) * (secondsPer[unit ?? ''] ?? Number.NaN);
  }
  return seconds;
}

/** The shortest text that `parseSeconds` reads back as the same number. */
export function writeSeconds(seconds: number): string {
  if (!Number.isInteger(seconds)) return `${seconds}s`;
  if (seconds === 0) return '0s';
  const parts: string[] = [];
  let rest = seconds;
  for (const unit of ['d', 'h', 'm', 's']) {
    const size = secondsPer[unit] ?? 1;
    const whole = Math.floor(rest / size);
    if (whole > 0) parts.push(`${whole}${unit}`);
    rest -= whole * size;
  }
  return parts.join(' ');
}

/** In days; a number alone is days. */
export function parseDays(text: string): number | undefined {
  const trimmed = text.trim();
  if (/^\d+(\.\d+)?$/.test(trimmed)) return Number(trimmed);
  const seconds = parseSeconds(trimmed);
  return seconds === undefined ? undefined : seconds / secondsInDay;
}

/** The shortest text that `parseDays` reads back as the same number. */
export function writeDays(days: number): string {
  const text = writeSeconds(days * secondsInDay);
  return parseDays(text) === days ? text : String(days);
}
