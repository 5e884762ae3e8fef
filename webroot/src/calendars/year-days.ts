/** The days of a year as a picture needs them: twelve months, weeks beginning on Monday. */
export const dayMs = 86_400_000;

export interface Month {
  /** From 1. */
  readonly month: number;
  readonly days: readonly {
    readonly day: number;
    readonly epochDay: number;
    /** 0 is Monday. */
    readonly column: number;
    readonly week: number;
  }[];
}

export function monthsOf(year: number): Month[] {
  return Array.from({ length: 12 }, (_, index) => {
    const first = epochDayOf(year, index + 1, 1);
    const lead = columnOf(first);
    return {
      month: index + 1,
      days: Array.from({ length: epochDayOf(year, index + 2, 1) - first }, (__, at) => ({
        day: at + 1,
        epochDay: first + at,
        column: (lead + at) % 7,
        week: Math.floor((lead + at) / 7),
      })),
    };
  });
}

/** `month` is from 1; one beyond 12 is of the next year. */
export function epochDayOf(year: number, month: number, day: number): number {
  return Math.floor(Date.UTC(year, month - 1, day) / dayMs);
}

/** `2026-12-25` */
export function dateText(epochDay: number): string {
  return new Date(epochDay * dayMs).toISOString().slice(0, 10);
}

/** 0 is Sunday; 1 January 1970 was a Thursday. */
export function weekdayOf(epochDay: number): number {
  return (((epochDay + 4) % 7) + 7) % 7;
}

function columnOf(epochDay: number): number {
  return (weekdayOf(epochDay) + 6) % 7;
}

/** The date where this browser is, as an epoch day. */
export function localEpochDay(ms: number): number {
  const date = new Date(ms);
  return epochDayOf(date.getFullYear(), date.getMonth() + 1, date.getDate());
}
