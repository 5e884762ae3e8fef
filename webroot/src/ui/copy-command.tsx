/** A command to paste into a terminal, with a button that copies it. */
import { useEffect, useState } from 'react';
import { copyText } from '../copy-text.ts';
import { commonMessages } from '../i18n/common-messages.ts';
import { useMessages } from '../i18n/language.ts';
import { Icon } from './icon.tsx';
import './copy-command.css';

export function CopyCommand({
  command,
  label,
}: {
  readonly command: string;
  readonly label?: string;
}) {
  const common = useMessages(commonMessages);
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return undefined;
    const timer = setTimeout(() => setCopied(false), 2000);
    return () => clearTimeout(timer);
  }, [copied]);
  return (
    <figure className="copy-command">
      {label !== undefined && <figcaption className="muted">{label}</figcaption>}
      <div className="copy-command-box">
        <pre>{command}</pre>
        <button
          type="button"
          className="button small square quiet"
          aria-label={copied ? common.copied : common.copy}
          title={copied ? common.copied : common.copy}
          onClick={() => {
            void copyText(command).then(setCopied);
          }}
        >
          <Icon name={copied ? 'check' : 'copy'} size={14} />
        </button>
      </div>
    </figure>
  );
}
