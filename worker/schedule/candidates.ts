/** Who may try for a fire, as the registry says: every ready worker, and this one whatever its state. */
import type { MeshSnapshot } from '../../shared/mesh/view.ts';
import { avoidedWeight, type Candidate } from './rank.ts';

/** `avoid` is a worker that goes last. */
export function candidatesIn(
  workers: MeshSnapshot['workers'],
  self: string,
  avoid: string | undefined,
): Candidate[] {
  const candidates: Candidate[] = [];
  for (const [id, { value }] of workers) {
    if (value.state !== 'ready' && id !== self) continue;
    // A full worker still has a place: its load is seconds old.
    const weight = id === avoid ? avoidedWeight : Math.max(value.slots - value.running, 0.01);
    candidates.push({ id, weight });
  }
  return candidates;
}
