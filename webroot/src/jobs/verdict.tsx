/** One line that answers "is everything all right?", with what is not and where to look. */
import { useQuery } from '@tanstack/react-query';
import { type ReactNode } from 'react';
import { Link } from 'wouter';
import { overviewQuery } from '../api/queries.ts';
import { useMessages } from '../i18n/language.ts';
import { OutcomeGlyph } from '../ui/outcome-glyph.tsx';
import { jobsMessages } from './messages.ts';
import './verdict.css';

interface Concern {
  readonly id: string;
  readonly grave: boolean;
  readonly text: ReactNode;
}

export function Verdict() {
  const { verdict } = useMessages(jobsMessages);
  const { data: overview } = useQuery(overviewQuery);
  if (!overview) {
    return (
      <p className="verdict" role="status">
        <OutcomeGlyph kind="none" /> <span className="muted">{verdict.wait}</span>
      </p>
    );
  }
  const { jobs, workers, running } = overview;
  const allWorkers = workers.ready + workers.draining + workers.blocked;

  const concerns: Concern[] = [];
  const add = (id: string, applies: boolean, grave: boolean, text: ReactNode): void => {
    if (applies) concerns.push({ id, grave, text });
  };
  add('etcd', overview.etcd === 'stale', true, verdict.etcdStale);
  add('store', overview.store === 'down', true, verdict.storeDown);
  add('workers', workers.ready === 0, true, <Link href="/workers">{verdict.noWorkers}</Link>);
  add(
    'blocked',
    workers.blocked > 0 && workers.ready > 0,
    false,
    <Link href="/workers">{verdict.blocked(workers.blocked)}</Link>,
  );
  add(
    'quarantined',
    jobs.quarantined > 0,
    false,
    <Link href="/?status=quarantined">{verdict.quarantined(jobs.quarantined)}</Link>,
  );
  add(
    'attention',
    jobs.attention > 0,
    false,
    <Link href="/?status=attention">{verdict.attentionJobs(jobs.attention)}</Link>,
  );
  add(
    'failing',
    jobs.failing > 0,
    false,
    <Link href="/?status=failing">{verdict.failing(jobs.failing)}</Link>,
  );

  const grave = concerns.some((concern) => concern.grave);
  const kind = concerns.length === 0 ? 'succeeded' : grave ? 'failed' : 'quarantined';
  const head = concerns.length === 0 ? verdict.well : grave ? verdict.trouble : verdict.attention;
  return (
    <p className={`verdict ${grave ? 'grave' : ''}`} role="status" data-testid="verdict">
      <OutcomeGlyph kind={kind} />
      <span>
        <b>{head}:</b>{' '}
        <span className="num">
          {verdict.jobs(jobs.total)}, {verdict.workers(allWorkers)}, {verdict.running(running)}
        </span>
        {concerns.map((concern) => (
          <span className="concern" key={concern.id}>
            {concern.text}
          </span>
        ))}
      </span>
    </p>
  );
}
