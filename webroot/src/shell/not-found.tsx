/** What stands at an address where nothing lives. */
import { Link, useLocation } from 'wouter';
import { useMessages } from '../i18n/language.ts';
import { EmptyState } from '../ui/empty-state.tsx';
import { shellMessages } from './messages.ts';

export function NotFound() {
  const text = useMessages(shellMessages);
  const [path] = useLocation();
  return (
    <EmptyState page title={text.notFoundTitle} text={text.notFoundText(path)}>
      <Link className="button primary" href="/">
        {text.toJobs}
      </Link>
    </EmptyState>
  );
}
