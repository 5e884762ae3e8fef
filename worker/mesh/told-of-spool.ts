/** What a worker's registration tells of its spool. */
import type { WorkerValue } from '../../shared/protocol/values.ts';
import type { SpoolState } from '../spool/port.ts';

/** A beat is no place for a long text. */
const maxTroubleLength = 300;

export function toldOfSpool(state: SpoolState | undefined): WorkerValue['spool'] {
  const { pendingRecords = 0, pendingBytes = 0, rejectedRecords = 0, drainError } = state ?? {};
  return {
    pendingRecords,
    pendingBytes,
    ...(rejectedRecords === 0 ? {} : { rejectedRecords }),
    ...(drainError === undefined ? {} : { trouble: drainError.slice(0, maxTroubleLength) }),
  };
}
