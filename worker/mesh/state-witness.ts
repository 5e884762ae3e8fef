/**
 * A witness of etcd's past: the newest put that this worker has seen, noted on disk with the revision
 * that it stands at, and looked for there at the next start. In a state that was put back to before it,
 * and has come as far again since by other hands, something else stands at that revision; the revision
 * alone would show nothing.
 */
import { createHash } from 'node:crypto';
import { isCronmeshError } from '../../shared/errors.ts';
import type { EtcdKv, KeyValue } from '../../shared/etcd/port.ts';

/** Etcd's words for a revision that it has not come to. */
const notYet = 'future revision';

export interface StateWitness {
  readonly key: string;
  readonly revision: number;
  readonly digest: string;
}

export function witnessOf({ key, modRevision, value }: KeyValue): StateWitness {
  return { key, revision: modRevision, digest: digestOf(value) };
}

/**
 * True when etcd's past lacks it. Of a past that is compacted away the present may still tell: a key that
 * is there can only have been put later. One that is gone says nothing: false.
 */
export async function lacksWitness(
  etcd: Pick<EtcdKv, 'range'>,
  { key, revision, digest }: StateWitness,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    const [kv] = (await etcd.range({ key, revision }, { signal })).kvs;
    return kv?.modRevision !== revision || digestOf(kv.value) !== digest;
  } catch (error) {
    if (isCronmeshError(error, 'etcd-compacted')) {
      const [kv] = (await etcd.range({ key }, { signal })).kvs;
      return kv !== undefined && kv.modRevision < revision;
    }
    // Any other refusal (of rights, say) tells nothing of the past.
    if (isCronmeshError(error, 'etcd-rejected') && error.message.includes(notYet)) return true;
    throw error;
  }
}

function digestOf(value: Buffer): string {
  return createHash('sha256').update(value).digest('base64url').slice(0, 16);
}
