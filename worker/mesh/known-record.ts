/** Whether a cluster record that is read tells of a restore, against what a worker knows. */
import type { ClusterValue } from '../../shared/protocol/values.ts';

/** The record as this worker last saw it; `isSettled`: no re-base was under way. */
export interface Known extends Pick<ClusterValue, 'mesh' | 'generation' | 'id'> {
  readonly isSettled: boolean;
}

/**
 * The state is one of before a restore that nobody has handled yet. `setBackFrom` is what was known when
 * etcd's answers went back (without an id: nothing was), undefined when they did not, or that was
 * handled; `clusterId` is what etcd calls itself.
 */
export function isRestored(
  value: ClusterValue,
  known: Known | undefined,
  setBackFrom: { readonly id?: string } | undefined,
  clusterId: string | undefined,
): boolean {
  if (clusterId !== undefined && clusterId !== value.clusterId) return true;
  if (setBackFrom !== undefined && (setBackFrom.id ?? value.id) === value.id) return true;
  if (known === undefined || known.mesh !== value.mesh) return false;
  if (value.generation < known.generation) return true;
  // A re-base that was over is under way again.
  return value.id === known.id && known.isSettled && value.rebase !== undefined;
}
