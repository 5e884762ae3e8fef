/** From a key and its value to what the view holds of it. */
import type { z } from 'zod';
import type { KeyValue } from '../etcd/port.ts';
import { decodeValue, orderSchema } from '../protocol/values.ts';
import { explainUnreadable } from './unreadable.ts';
import type { Held, HeldOrder, MeshSnapshot } from './view.ts';

/** The parsed value with its revisions; undefined when it cannot be parsed, which is noted then. */
export function readable<T extends z.ZodType>(
  { unreadable }: MeshSnapshot,
  schema: T,
  kv: KeyValue,
): Held<z.output<T>> | undefined {
  const value = decodeValue(schema, kv.value);
  if (value === undefined) {
    unreadable.set(kv.key, explainUnreadable(schema, kv));
    return undefined;
  }
  unreadable.delete(kv.key);
  return { value, createRevision: kv.createRevision, modRevision: kv.modRevision };
}

export function heldOrder(kv: KeyValue): HeldOrder {
  const value = decodeValue(orderSchema, kv.value) ?? {};
  const { createRevision, modRevision, lease } = kv;
  const orderRevision = Math.min(value.answer?.order ?? modRevision, modRevision);
  return { value, createRevision, modRevision, orderRevision, lease };
}

/** With bytes of its own: those of a listing are a piece of its page, which must not stay for it. */
export function ownKeyValue(kv: KeyValue | undefined): KeyValue | undefined {
  return kv && { ...kv, value: Buffer.from(kv.value) };
}
