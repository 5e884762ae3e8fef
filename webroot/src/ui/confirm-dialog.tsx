/** Asks the pending question; its action has the focus, so Enter does it and Escape does not. */
import { useCallback } from 'react';
import { useStore } from '../external-store.ts';
import { commonMessages } from '../i18n/common-messages.ts';
import { useMessages } from '../i18n/language.ts';
import { type PendingQuestion, questionStore } from './confirm-store.ts';
import { Dialog } from './dialog.tsx';

export function ConfirmDialog() {
  const question = useStore(questionStore);
  return question ? <Question question={question} /> : null;
}

function Question({ question }: { readonly question: PendingQuestion }) {
  const common = useMessages(commonMessages);
  const onClose = useCallback(() => question.answer(false), [question]);
  return (
    <Dialog title={question.title} onClose={onClose} testId="confirm-dialog">
      <p className="muted">{question.text}</p>
      <div className="dialog-actions">
        <button type="button" className="button" data-testid="cancel" onClick={onClose}>
          {question.cancel ?? common.cancel}
        </button>
        <button
          ref={focusOnMount}
          type="button"
          className={question.tone === 'danger' ? 'button danger' : 'button primary'}
          data-testid="confirm"
          onClick={() => question.answer(true)}
        >
          {question.confirm}
        </button>
      </div>
    </Dialog>
  );
}

/** After the dialog has opened and put the focus on its first button. */
function focusOnMount(button: HTMLButtonElement | null): void {
  if (button) requestAnimationFrame(() => button.focus());
}
