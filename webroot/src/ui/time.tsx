/** Times as people read them: relative, with the exact instant in the title. */
import { useState } from 'react';
import { useStore } from '../external-store.ts';
import { formatInstant } from '../format/instant.ts';
import { formatAge, formatSpan } from '../format/span.ts';
import { commonMessages } from '../i18n/common-messages.ts';
import { useMessages } from '../i18n/language.ts';
import { connectionStore } from '../live/connection.ts';
import { serverClock } from '../live/server-clock.ts';
import { useNowAs } from '../live/use-now.ts';

/** `4m ago`; `at` is epoch ms. */
export function TimeAgo({ at }: { readonly at: number }) {
  const common = useMessages(commonMessages);
  const text = useNowAs((now) =>
    now - at < 1000 ? common.justNow : common.ago(formatAge(now - at)),
  );
  return (
    <time className="num" dateTime={new Date(at).toISOString()} title={formatInstant(at)}>
      {text}
    </time>
  );
}

/** Time until `at`, counted down each second; `zone` is the job's, for the title. */
export function Countdown({ at, zone }: { readonly at: number; readonly zone?: string }) {
  const common = useMessages(commonMessages);
  // Where a fire follows a second after the last, the last second is now: it would only flicker.
  const [seen, setSeen] = useState({ at, lastMs: 0 });
  if (seen.at !== at) setSeen({ at, lastMs: at - serverClock.now() > 1500 ? 0 : 1000 });
  const fresh = useStore(connectionStore).state !== 'cut';
  const text = useNowAs((now) => {
    if (at - now > seen.lastMs) return formatSpan(at - now);
    // What is due after the last word from the master is not known.
    return fresh || at > now ? common.dueNow : '?';
  });
  const soon = useNowAs((now) => at - now < 10_000);
  const title =
    zone === undefined ? formatInstant(at) : `${formatInstant(at, zone)}\n${formatInstant(at)}`;
  return (
    <time
      className={soon ? 'countdown soon num' : 'countdown num'}
      dateTime={new Date(at).toISOString()}
      title={title}
    >
      {text}
    </time>
  );
}

/** Time since `since`, counted up each second. */
export function Elapsed({ since }: { readonly since: number }) {
  const text = useNowAs((now) => formatSpan(now - since));
  return <span className="num">{text}</span>;
}
