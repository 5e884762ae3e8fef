/** A room with nothing in it: what it would show, and what to do so that it does. */
import { type ReactNode } from 'react';
import './empty-state.css';

export function EmptyState({
  title,
  text,
  page = false,
  children,
}: {
  readonly title: string;
  readonly text?: string;
  /** It stands for the whole page, and is its heading. */
  readonly page?: boolean;
  readonly children?: ReactNode;
}) {
  return (
    <section className="empty-state" data-testid="empty-state">
      <svg width="56" height="56" viewBox="0 0 56 56" fill="none" aria-hidden="true">
        <path className="mesh" d="M28 6 47 17v22L28 50 9 39V17ZM28 6v44M9 17l38 22M47 17 9 39" />
        <circle className="node" cx="28" cy="6" r="3" />
        <circle className="node" cx="47" cy="39" r="3" />
        <circle className="node" cx="9" cy="39" r="3" />
        <circle className="core" cx="28" cy="28" r="4" />
      </svg>
      {page ? <h1>{title}</h1> : <h2>{title}</h2>}
      {text !== undefined && <p className="muted">{text}</p>}
      {children}
    </section>
  );
}
