/** What could not be fetched, why, and a way to try again. */
import { useDescribeError } from './describe-error.ts';
import { commonMessages } from '../i18n/common-messages.ts';
import { useMessages } from '../i18n/language.ts';
import { Icon } from './icon.tsx';
import './error-panel.css';

export function ErrorPanel({
  error,
  onRetry,
}: {
  readonly error: unknown;
  readonly onRetry?: () => void;
}) {
  const common = useMessages(commonMessages);
  const describe = useDescribeError();
  const { text, detail } = describe(error);
  return (
    <div className="error-panel" role="alert">
      <Icon name="alert" />
      <div>
        <p>{text}</p>
        {detail !== undefined && <p className="muted">{detail}</p>}
      </div>
      {onRetry && (
        <button type="button" className="button small" onClick={onRetry}>
          {common.retry}
        </button>
      )}
    </div>
  );
}
