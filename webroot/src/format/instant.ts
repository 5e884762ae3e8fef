/** Instants as text, in a zone of one's choice. Formatters are kept: making one is slow. */
const formatters = new Map<string, Intl.DateTimeFormat>();

function formatter(kind: 'full' | 'clock' | 'day', zone: string | undefined): Intl.DateTimeFormat {
  const key = `${kind} ${zone ?? ''}`;
  const known = formatters.get(key);
  if (known) return known;
  const clock = {
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    hourCycle: 'h23',
  } as const;
  const day = { weekday: 'short', year: 'numeric', month: '2-digit', day: '2-digit' } as const;
  const fields = {
    full: { ...day, ...clock, timeZoneName: 'short' } as const,
    clock,
    day,
  }[kind];
  const made = new Intl.DateTimeFormat('en-GB', {
    ...fields,
    ...(zone === undefined ? {} : { timeZone: zone }),
  });
  formatters.set(key, made);
  return made;
}

type Part = Intl.DateTimeFormatPartTypes;

function parts(kind: 'full' | 'clock' | 'day', ms: number, zone?: string): (type: Part) => string {
  const found = formatter(kind, safeZone(zone)).formatToParts(ms);
  return (type) => found.find((part) => part.type === type)?.value ?? '';
}

/** A zone that this browser does not know is shown in UTC rather than not at all. */
function safeZone(zone: string | undefined): string | undefined {
  if (zone === undefined) return undefined;
  try {
    formatter('clock', zone);
    return zone;
  } catch {
    return 'UTC';
  }
}

/** `2026-07-01 14:03:22 CEST` */
export function formatInstant(ms: number, zone?: string): string {
  const p = parts('full', ms, zone);
  return `${p('year')}-${p('month')}-${p('day')} ${p('hour')}:${p('minute')}:${p('second')} ${p('timeZoneName')}`;
}

/** `14:03:22` */
export function formatClock(ms: number, zone?: string): string {
  const p = parts('clock', ms, zone);
  return `${p('hour')}:${p('minute')}:${p('second')}`;
}

/** `Wed 2026-07-01` */
export function formatDay(ms: number, zone?: string): string {
  const p = parts('day', ms, zone);
  return `${p('weekday')} ${p('year')}-${p('month')}-${p('day')}`;
}

/** The zone this browser lives in. */
export const localZone = new Intl.DateTimeFormat().resolvedOptions().timeZone;
