/** Who does the work: state with its reasons, slots, load, clock and beat of every worker. */
import { useQuery } from '@tanstack/react-query';
import { workersQuery } from '../api/queries.ts';
import { useMessages } from '../i18n/language.ts';
import { CopyCommand } from '../ui/copy-command.tsx';
import { EmptyState } from '../ui/empty-state.tsx';
import { ErrorPanel } from '../ui/error-panel.tsx';
import { SkeletonBlock } from '../ui/skeleton.tsx';
import { usePageTitle } from '../ui/use-page-title.ts';
import { workersMessages } from './messages.ts';
import { WorkerCard } from './worker-card.tsx';
import './workers-page.css';

const startCommand = [
  'CRONMESH_ETCD=http://127.0.0.1:2379 CRONMESH_HISTORY=mongodb://127.0.0.1/cronmesh \\',
  '  node dist/worker/main.js',
].join('\n');

export function WorkersPage() {
  const text = useMessages(workersMessages);
  usePageTitle(text.title);
  const { data, error, isPending, refetch } = useQuery(workersQuery);
  const workers = data?.items.toSorted((a, b) => a.id.localeCompare(b.id)) ?? [];
  const running = workers.reduce((sum, worker) => sum + worker.running, 0);
  const slots = workers.reduce((sum, worker) => sum + worker.slots, 0);
  return (
    <>
      <header className="page-head">
        <h1>{text.title}</h1>
        {workers.length > 0 && (
          <p className="muted num">{text.summary(workers.length, running, slots)}</p>
        )}
      </header>
      {error && !data && <ErrorPanel error={error} onRetry={() => void refetch()} />}
      {isPending && <SkeletonBlock height={200} />}
      {data && workers.length === 0 && (
        <EmptyState title={text.emptyTitle} text={text.emptyText}>
          <CopyCommand label={text.emptyCommand} command={startCommand} />
        </EmptyState>
      )}
      <div className="worker-grid">
        {workers.map((worker) => (
          <WorkerCard key={worker.id} worker={worker} />
        ))}
      </div>
    </>
  );
}
