/** Spans of time as short text. */

/** `4s`, `2m 05s`, `3h 12m`, `5d 4h`: two units at most, for countdowns and ages. */
export function formatSpan(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}m ${pad(seconds % 60)}s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `${hours}h ${pad(minutes % 60)}m`;
  const days = Math.floor(hours / 24);
  if (days < 365) return `${days}d ${hours % 24}h`;
  return `${Math.floor(days / 365)}y ${days % 365}d`;
}

/** One unit only, for ages in dense places: `4s`, `2m`, `3h`, `5d`. */
export function formatAge(ms: number): string {
  return formatSpan(ms).split(' ')[0] ?? '';
}

/** How long a run took: `48 ms`, `1.25 s`, `2m 05s`. */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 10_000) return `${(ms / 1000).toFixed(2)} s`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  return formatSpan(ms);
}

function pad(value: number): string {
  return String(value).padStart(2, '0');
}
