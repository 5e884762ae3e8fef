/** Shows the toasts, aloud for screen readers; a pointer on one keeps it. */
import { useEffect, useState } from 'react';
import { useStore } from '../external-store.ts';
import { commonMessages } from '../i18n/common-messages.ts';
import { useMessages } from '../i18n/language.ts';
import { Icon } from './icon.tsx';
import { dismissToast, type Toast, toastStore } from './toast-store.ts';
import './toasts.css';

const shownForMs = 7000;

export function Toasts() {
  const toasts = useStore(toastStore);
  return (
    <div className="toasts" role="region" aria-live="polite" aria-relevant="additions">
      {toasts.map((toast) => (
        <ToastCard key={toast.id} toast={toast} />
      ))}
    </div>
  );
}

function ToastCard({ toast }: { readonly toast: Toast }) {
  const common = useMessages(commonMessages);
  const [held, setHeld] = useState(false);
  const stays = toast.tone === 'bad' || held;
  useEffect(() => {
    if (stays) return undefined;
    const timer = setTimeout(() => dismissToast(toast.id), shownForMs);
    return () => clearTimeout(timer);
  }, [stays, toast.id]);
  return (
    <div
      className={`toast ${toast.tone}`}
      role={toast.tone === 'bad' ? 'alert' : 'status'}
      data-testid="toast"
      onPointerEnter={() => setHeld(true)}
      onPointerLeave={() => setHeld(false)}
    >
      <Icon name={toast.tone === 'bad' ? 'alert' : 'check'} />
      <div className="toast-words">
        <p>{toast.text}</p>
        {toast.detail !== undefined && <p className="muted">{toast.detail}</p>}
      </div>
      {toast.action && (
        <button
          type="button"
          className="button small quiet toast-action"
          onClick={() => {
            dismissToast(toast.id);
            toast.action?.run();
          }}
        >
          {toast.action.label}
        </button>
      )}
      <button
        type="button"
        className="button small square quiet"
        aria-label={common.close}
        onClick={() => dismissToast(toast.id)}
      >
        <Icon name="close" size={14} />
      </button>
    </div>
  );
}
