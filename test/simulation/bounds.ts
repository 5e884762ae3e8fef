/**
 * How far from the ideal a promise may be, and why.
 */

/**
 * A claim, or a start, before its tick: the clock's bound of 1 s, a step of 250 ms that counts as none,
 * and the time that a server's answer about its clock was under way.
 */
export const earlyBoundMs = 1_300;

/** A start after its definition changed: the claim's freshness of 1 s, on a clock that drifts. */
export const freshMs = 1_010;

/** How far off the clock of a person's machine may be: nobody compares it with anything. */
export const editorClockMs = 62_000;
