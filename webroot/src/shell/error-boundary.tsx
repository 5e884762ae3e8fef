/** Keeps a fault of one room from taking the frame with it; another address clears it. */
import { Component, type ReactNode } from 'react';
import { useLocation } from 'wouter';
import { useMessages } from '../i18n/language.ts';
import { EmptyState } from '../ui/empty-state.tsx';
import { shellMessages } from './messages.ts';

export function ErrorBoundary({ children }: { readonly children: ReactNode }) {
  const [path] = useLocation();
  return <Boundary key={path}>{children}</Boundary>;
}

interface BoundaryState {
  readonly error?: unknown;
}

class Boundary extends Component<{ readonly children: ReactNode }, BoundaryState> {
  override state: BoundaryState = {};

  static getDerivedStateFromError(error: unknown): BoundaryState {
    return { error };
  }

  override render(): ReactNode {
    const { error } = this.state;
    if (error === undefined) return this.props.children;
    return <Broken error={error} onReset={() => location.reload()} />;
  }
}

function Broken({ error, onReset }: { readonly error: unknown; readonly onReset: () => void }) {
  const text = useMessages(shellMessages);
  return (
    <EmptyState page title={text.brokenTitle} text={text.brokenText}>
      <code className="muted">{error instanceof Error ? error.message : String(error)}</code>
      <button type="button" className="button primary" onClick={onReset}>
        {text.reload}
      </button>
    </EmptyState>
  );
}
