/**
 * Strong ETags of jobs and calendars (`"<revision>"`) and the conditions of an edit (RFC 9110, 13.1).
 * Every edit must carry one: nobody overwrites what they have not seen.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { CronmeshError, renderGot } from '../../shared/errors.ts';
import { badField } from './problem.ts';
import { Refusal } from './reply.ts';

export type Precondition =
  /** `If-None-Match: *`. */
  | { readonly kind: 'absent' }
  /** `If-Match: *`. */
  | { readonly kind: 'present' }
  | { readonly kind: 'revisions'; readonly revisions: ReadonlySet<number> };

export function etagOf(revision: number): string {
  return `"${revision}"`;
}

/** Undefined when the request carries none. Throws `request-invalid` for one that makes no sense. */
export function readPrecondition(headers: IncomingHttpHeaders): Precondition | undefined {
  const match = headers['if-match'];
  const noneMatch = headers['if-none-match'];
  if (match !== undefined && noneMatch !== undefined) {
    throw badField('If-None-Match', 'contradicts If-Match', 'one of the two', renderGot(noneMatch));
  }
  if (noneMatch !== undefined) {
    if (noneMatch.trim() === '*') return { kind: 'absent' };
    throw badField('If-None-Match', 'is not usable here', '*', renderGot(noneMatch));
  }
  return match === undefined ? undefined : parseIfMatch(match);
}

function parseIfMatch(text: string): Precondition {
  if (text.trim() === '*') return { kind: 'present' };
  const revisions = new Set<number>();
  for (const tag of text.split(',')) {
    const parsed = /^(?:W\/)?"([^"]*)"$/.exec(tag.trim());
    if (parsed === null) {
      throw badField(
        'If-Match',
        'is not an ETag',
        'the ETag of it, as it came, or *',
        renderGot(text),
      );
    }
    // A proxy that compresses weakens every ETag; the revision in it is as good as before.
    const value = parsed[1] ?? '';
    if (/^\d{1,15}$/.test(value)) revisions.add(Number(value));
  }
  return { kind: 'revisions', revisions };
}

export function requirePrecondition(
  precondition: Precondition | undefined,
  expected: string,
): Precondition {
  if (precondition !== undefined) return precondition;
  throw new CronmeshError('precondition-required', 'The edit says nothing about what it replaces', {
    problems: [{ field: 'If-Match', message: 'is missing', expected, got: 'nothing' }],
  });
}

/**
 * Throws `precondition-failed` with the ETag that would have matched. `revision` is that of what is
 * edited as it stands, 0 when there is none.
 */
export function requireHolds(
  precondition: Precondition,
  revision: number,
  noun: 'job' | 'calendar' | 'setting',
): void {
  if (holds(precondition, revision)) return;
  const message =
    revision === 0
      ? `There is no such ${noun} (any more)`
      : precondition.kind === 'absent'
        ? `There is a ${noun} of that name already`
        : `The ${noun} was changed since it was read`;
  throw new Refusal(
    new CronmeshError('precondition-failed', message, {
      problems: [
        {
          field: precondition.kind === 'absent' ? 'If-None-Match' : 'If-Match',
          message: 'does not hold',
          expected: revision === 0 ? `a ${noun} that exists` : etagOf(revision),
          got:
            precondition.kind === 'revisions'
              ? [...precondition.revisions].map(etagOf).join(', ') || 'no ETag of this API'
              : '*',
        },
      ],
    }),
    revision === 0 ? {} : { ETag: etagOf(revision) },
  );
}

function holds(precondition: Precondition, revision: number): boolean {
  switch (precondition.kind) {
    case 'absent':
      return revision === 0;
    case 'present':
      return revision !== 0;
    case 'revisions':
      return revision !== 0 && precondition.revisions.has(revision);
  }
}
