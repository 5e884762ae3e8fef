/** A cursor as a process sees it: what it says, and the very bytes of it that guards compare. */
import type { KeyValue } from '../etcd/port.ts';
import { intern } from '../intern.ts';
import { encodeCursor, parseCursor, type Cursor } from '../protocol/cursor.ts';

export interface CursorEntry {
  readonly raw: string;
  readonly modRevision: number;
  /** Undefined when somebody wrote something that is not a cursor. */
  readonly cursor: Cursor | undefined;
}

export function readCursorEntry(kv: KeyValue): CursorEntry {
  const raw = kv.value.toString();
  const cursor = parseCursor(raw);
  if (cursor === undefined) return { raw, modRevision: kv.modRevision, cursor };
  const { tick, schedule } = cursor;
  return new WellFormed({ tick, schedule: intern(schedule) }, kv.modRevision);
}

/** There is one way to write a cursor, so its text need not be kept beside it. */
class WellFormed implements CursorEntry {
  readonly cursor: Cursor;
  readonly modRevision: number;

  constructor(cursor: Cursor, modRevision: number) {
    this.cursor = cursor;
    this.modRevision = modRevision;
  }

  get raw(): string {
    return encodeCursor(this.cursor);
  }
}
