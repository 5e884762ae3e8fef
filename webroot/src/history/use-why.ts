/** Why a run ended as it did, in words: its reason, else how its process left. */
import type { HistoryRow } from '../../../shared/history/records.ts';
import { commonMessages } from '../i18n/common-messages.ts';
import { useMessages } from '../i18n/language.ts';

type Ended = Pick<HistoryRow, 'outcome' | 'reason' | 'exitCode' | 'signal'>;

/** Undefined when there is nothing to explain. */
export function useWhy(): (ended: Ended) => string | undefined {
  const common = useMessages(commonMessages);
  return ({ outcome, reason, exitCode, signal }) => {
    if (reason !== undefined) return reason;
    if (outcome === undefined || outcome === 'succeeded') return undefined;
    if (signal !== undefined) return common.signal(signal);
    return exitCode === undefined ? undefined : common.exitCode(exitCode);
  };
}
