/** Says aloud that the page is old, how old, and what still works. It covers, it moves nothing. */
import { useStore } from '../external-store.ts';
import { formatClock } from '../format/instant.ts';
import { useMessages } from '../i18n/language.ts';
import { connectionStore } from '../live/connection.ts';
import { useNowAs } from '../live/use-now.ts';
import { Icon } from '../ui/icon.tsx';
import { Elapsed } from '../ui/time.tsx';
import { shellMessages } from './messages.ts';

const graceMs = 2500;

export function StaleBanner({ onReconnect }: { readonly onReconnect: () => void }) {
  const text = useMessages(shellMessages);
  const connection = useStore(connectionStore);
  const cut = connection.state === 'cut';
  const since = cut ? connection.since : (connection.etcdSince ?? connection.since);
  // A stream that is back in a moment (a master that was replaced) is not worth a word.
  const lasting = useNowAs((now) => now - since >= graceMs);
  if ((!cut && connection.etcd === 'ok') || !lasting) return null;
  // The span is split out of the sentence so that only it is drawn again each second.
  const [before, after] = (cut ? text.cutTitle : text.staleTitle)('\0').split('\0');
  return (
    <div className="stale-banner" role="alert" data-testid="stale-banner">
      <Icon name="alert" />
      <p>
        <b>
          {before}
          <Elapsed since={since} />
          {after}
        </b>{' '}
        {cut ? text.cutText(formatClock(since)) : text.staleText}
      </p>
      {cut && (
        <button type="button" className="button small" onClick={onReconnect}>
          {text.reconnect}
        </button>
      )}
    </div>
  );
}
