/**
 * What a fault showed, one row for each: printed beside its test, and, when CRONMESH_TEST_FAULT_ROWS names
 * a file, added to that file as a line of JSON, from which the stage makes its table of all.
 */
import assert from 'node:assert/strict';
import { appendFileSync } from 'node:fs';
import type { TestContext } from 'node:test';
import type { Audit } from './audit.ts';
import { isFullSize } from './fault-size.ts';

/** Counts of fires and, last, milliseconds; what a fault is not about is left out. */
export interface FaultFigures {
  readonly expected?: number;
  readonly ran?: number;
  readonly twice?: number;
  readonly missing?: number;
  readonly lost?: number;
  readonly missed?: number;
  readonly skipped?: number;
  readonly unaccounted?: number;
  readonly disagree?: number;
  readonly overlapMs?: number;
}

/** `note`: the figures that are this fault's own. */
export function reportFault(
  t: TestContext,
  name: string,
  figures: FaultFigures,
  note: string,
): void {
  const words = Object.entries(figures).map(([figure, value]) => `${figure} ${String(value)}`);
  t.diagnostic(`${name}: ${[...words, note].filter((text) => text !== '').join(', ')}`);
  const file = process.env['CRONMESH_TEST_FAULT_ROWS'];
  if (file === undefined) return;
  const size = isFullSize ? 'full' : 'bounded';
  appendFileSync(file, `${JSON.stringify({ name, size, figures, note })}\n`);
}

export function figuresOf(audit: Audit): FaultFigures {
  return {
    expected: audit.expected,
    ran: audit.ran,
    twice: audit.twice.length,
    missing: audit.missing.length,
    lost: audit.lost,
    missed: audit.missed,
    skipped: audit.skipped,
    unaccounted: audit.unaccounted.length,
    disagree: audit.disagreeing.length,
    ...(audit.overlapMs === undefined ? {} : { overlapMs: audit.overlapMs }),
  };
}

/** Reports the audit, then asserts what every fault has in common. */
export function reportAudit(t: TestContext, name: string, audit: Audit, note = ''): void {
  reportFault(t, name, figuresOf(audit), note);
  assert.deepEqual(audit.twice, [], 'no fire ran twice');
  assert.deepEqual(audit.unaccounted, [], 'every fire has an account');
  assert.deepEqual(audit.disagreeing, [], 'history says what the oracle says');
  assert.equal(audit.overlapMs ?? 0, 0, 'no overlap');
}

/** For faults that hold nobody up. */
export function assertNoneMissing({ missing }: Audit): void {
  assert.deepEqual(missing, [], 'every fire ran');
}
