/**
 * What the rest of the house knows of a schedule. A Schedule is immutable; ticks are epoch
 * milliseconds on whole seconds. The calendar engine behind it is not visible here.
 */
/** Instants in order of time, asked for one by one. */
export interface Ticks {
  /** The first tick strictly after `afterMs`; undefined when there is none any more. */
  next(afterMs: number): number | undefined;
  /** The last tick at or before `atMs`, but after `floorMs`; undefined when there is none. */
  latest(atMs: number, floorMs: number): number | undefined;
}

export interface Schedule extends Ticks {
  /** Canonical expression and zone, one line, e.g. `0 30 2 * * * * Europe/Berlin` or `@every 10s`. Two schedules with equal canonical texts have equal ticks. */
  readonly canonical: string;
  readonly timezone: string;
  /**
   * `fixed`: hour and minute are pinned, a tick that a DST gap swallows runs once right after it and
   * a doubled one runs once; `interval`: follows the clock (Vixie cron's rule).
   */
  readonly kind: 'fixed' | 'interval';
}

export type DstNote = 'moved-out-of-gap' | 'once-of-doubled';

/** One fire of a preview; `note` says what a DST change did to it. */
export interface PreviewTick {
  readonly tick: number;
  readonly note?: DstNote;
}
