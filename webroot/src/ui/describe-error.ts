/** An error in words, for toasts and panels. */
import { useCallback } from 'react';
import { isApiError } from '../api/api-error.ts';
import { commonMessages } from '../i18n/common-messages.ts';
import { useMessages } from '../i18n/language.ts';

export interface DescribedError {
  readonly text: string;
  readonly detail?: string;
}

export function useDescribeError(): (error: unknown) => DescribedError {
  const common = useMessages(commonMessages);
  return useCallback(
    (error: unknown) => {
      if (!isApiError(error)) {
        return { text: error instanceof Error ? error.message : String(error) };
      }
      if (error.code === 'unreachable') return { text: common.unreachable };
      if (error.code === 'timed-out') return { text: common.timedOut };
      const problems = error.errors.map(
        ({ pointer, message, expected, got }) =>
          `${pointer} ${message} (${common.expected(expected)}, ${common.got(got)})`,
      );
      const requestId = error.requestId === undefined ? [] : [common.requestId(error.requestId)];
      const detail = [...problems, ...requestId].join('\n');
      return detail === '' ? { text: error.message } : { text: error.message, detail };
    },
    [common],
  );
}
