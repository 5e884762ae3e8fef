/** The place in an ordered list of jobs after which the next page begins; it holds as jobs come and go. */
import { badField } from '../http/problem.ts';

/** Where a job stands in an order: by its key, then by its name. */
export interface Place {
  /** Smaller comes first; Infinity when there is nothing to sort by. */
  readonly key: number;
  readonly name: string;
}

export function encodeCursor(sort: string, { name, key }: Place): string {
  const position = [sort, Number.isFinite(key) ? key : null, name];
  return Buffer.from(JSON.stringify(position)).toString('base64url');
}

/** Throws `request-invalid` for one that is not of this order. */
export function decodeCursor(cursor: string, sort: string): Place {
  const position = positionOf(cursor);
  if (position?.sort === sort) return position;
  const expected = 'the nextCursor of an earlier page in the same order, unchanged';
  throw badField(
    'cursor',
    'is not a page cursor of this order',
    expected,
    `"${cursor.slice(0, 60)}"`,
  );
}

function positionOf(
  cursor: string,
): { readonly sort: unknown; readonly key: number; readonly name: string } | undefined {
  let position: unknown;
  try {
    position = JSON.parse(Buffer.from(cursor, 'base64url').toString());
  } catch {
    return undefined;
  }
  if (!Array.isArray(position) || position.length !== 3) return undefined;
  const [sort, key, name] = position as readonly unknown[];
  if (typeof name !== 'string' || !(key === null || typeof key === 'number')) return undefined;
  return { sort, key: key ?? Infinity, name };
}
