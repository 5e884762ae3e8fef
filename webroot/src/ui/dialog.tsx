/** A native modal dialog: the browser keeps the focus inside and closes it on Escape. */
import { type ReactNode, useEffect, useId, useRef } from 'react';
import { commonMessages } from '../i18n/common-messages.ts';
import { useMessages } from '../i18n/language.ts';
import { Icon } from './icon.tsx';
import './dialog.css';

interface DialogProps {
  readonly title: string;
  readonly onClose: () => void;
  readonly children: ReactNode;
  readonly wide?: boolean;
  readonly testId?: string;
}

/** Open as long as it is rendered. */
export function Dialog({ title, onClose, children, wide = false, testId }: DialogProps) {
  const common = useMessages(commonMessages);
  const ref = useRef<HTMLDialogElement>(null);
  const titleId = useId();
  useEffect(() => {
    const dialog = ref.current;
    if (!dialog) return undefined;
    if (!dialog.open) dialog.showModal();
    // A click on the dialog itself, not on anything in it, is a click on its backdrop.
    const onPress = (event: MouseEvent): void => {
      if (event.target === dialog) onClose();
    };
    const onCancel = (event: Event): void => {
      event.preventDefault();
      onClose();
    };
    dialog.addEventListener('mousedown', onPress);
    dialog.addEventListener('cancel', onCancel);
    return () => {
      dialog.removeEventListener('mousedown', onPress);
      dialog.removeEventListener('cancel', onCancel);
    };
  }, [onClose]);
  return (
    <dialog
      ref={ref}
      className={wide ? 'dialog wide' : 'dialog'}
      aria-labelledby={titleId}
      data-testid={testId}
    >
      <div className="dialog-body">
        <header className="dialog-head">
          <h2 id={titleId}>{title}</h2>
          <button
            type="button"
            className="button small square quiet"
            aria-label={common.close}
            onClick={onClose}
          >
            <Icon name="close" size={14} />
          </button>
        </header>
        {children}
      </div>
    </dialog>
  );
}
