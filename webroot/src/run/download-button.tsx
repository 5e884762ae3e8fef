/** Fetches the whole output as plain text, whatever part of it is shown. */
import { useState } from 'react';
import { requestText } from '../api/client.ts';
import { useMessages } from '../i18n/language.ts';
import { useDescribeError } from '../ui/describe-error.ts';
import { Icon } from '../ui/icon.tsx';
import { showToast } from '../ui/toast-store.ts';
import { runMessages } from './messages.ts';

const downloadTimeoutMs = 10 * 60_000;

export function DownloadButton({ runId }: { readonly runId: string }) {
  const text = useMessages(runMessages);
  const describe = useDescribeError();
  const [busy, setBusy] = useState(false);

  async function download(): Promise<void> {
    setBusy(true);
    try {
      const path = `/runs/${encodeURIComponent(runId)}/output`;
      const blob = await requestText(path, { timeoutMs: downloadTimeoutMs });
      const link = document.createElement('a');
      link.href = URL.createObjectURL(blob);
      link.download = `${runId.replaceAll(/[^\w.-]/g, '_')}.log`;
      link.click();
      URL.revokeObjectURL(link.href);
    } catch (error) {
      showToast({ tone: 'bad', ...describe(error) });
    } finally {
      setBusy(false);
    }
  }

  return (
    <button
      type="button"
      className="button small"
      disabled={busy}
      data-testid="download"
      onClick={() => void download()}
    >
      <Icon name="download" size={14} />
      {text.download}
    </button>
  );
}
