/** Every outcome a row can show, in the order people look for them. */
import type { ShownOutcome } from './i18n/common-messages.ts';

const places = {
  running: 0,
  succeeded: 1,
  failed: 2,
  'timed-out': 3,
  killed: 4,
  lost: 5,
  skipped: 6,
  missed: 7,
} as const satisfies Readonly<Record<ShownOutcome, number>>;

const isOutcome = (name: string): name is ShownOutcome => name in places;

export const shownOutcomes: readonly ShownOutcome[] = Object.keys(places).filter(isOutcome);
