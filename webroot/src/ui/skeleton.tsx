/** The shape of what is being fetched. */
import { commonMessages } from '../i18n/common-messages.ts';
import { useMessages } from '../i18n/language.ts';
import './skeleton.css';

export function SkeletonRows({ rows }: { readonly rows: number }) {
  const common = useMessages(commonMessages);
  return (
    <div className="skeleton-rows" role="status" aria-label={common.loading}>
      {Array.from({ length: rows }, (_, index) => (
        <div className="skeleton-row" key={index}>
          <i className="bone dot" />
          <i className={`bone name w${index % 3}`} />
          <i className="bone mid" />
          <i className="bone end" />
        </div>
      ))}
    </div>
  );
}

export function SkeletonBlock({ height }: { readonly height: number }) {
  const common = useMessages(commonMessages);
  return (
    <div className="bone block" role="status" aria-label={common.loading} style={{ height }} />
  );
}
