/** One worker. Its card keeps its place and its size whatever comes in. */
import type { ReactNode } from 'react';
import { Link } from 'wouter';
import type { WorkerItem } from '../api/shapes.ts';
import { formatBytes } from '../format/bytes.ts';
import { formatInstant } from '../format/instant.ts';
import { useMessages } from '../i18n/language.ts';
import { Icon } from '../ui/icon.tsx';
import { type GlyphKind, OutcomeGlyph } from '../ui/outcome-glyph.tsx';
import { Elapsed, TimeAgo } from '../ui/time.tsx';
import { workersMessages } from './messages.ts';

const glyphs: Readonly<Record<WorkerItem['state'], GlyphKind>> = {
  ready: 'succeeded',
  draining: 'skipped',
  blocked: 'quarantined',
};
/** Up to this many slots each is drawn on its own. */
const mostDrawn = 40;
/** A worker claims nothing beyond a second of difference; half of it is worth a look. */
const clockWarnMs = 500;

export function WorkerCard({ worker }: { readonly worker: WorkerItem }) {
  const text = useMessages(workersMessages);
  const { state, clockOffsetMs, spool } = worker;
  const concerns = [
    ...worker.reasons,
    ...(spool.trouble === undefined ? [] : [text.notStored(spool.trouble)]),
    ...(spool.rejectedRecords === 0 ? [] : [text.rejected(spool.rejectedRecords)]),
  ];
  const clockWarns = clockOffsetMs !== undefined && Math.abs(clockOffsetMs) > clockWarnMs;
  return (
    <article className={`worker-card panel ${state}`} data-testid={`worker-card-${worker.id}`}>
      <header>
        <OutcomeGlyph kind={glyphs[state]} size={18} />
        <h2>{worker.id}</h2>
        <span className="worker-state" data-testid="worker-state" title={text.stateHint[state]}>
          {text.state[state]}
        </span>
      </header>
      <p className="muted clip" title={`${worker.host}, ${text.process(worker.pid)}`}>
        {worker.host} · {text.process(worker.pid)}
      </p>
      <Slots worker={worker} />
      <dl className="worker-facts num">
        <Fact name={text.load} title={text.loadTitle}>
          {worker.load.map((value) => value.toFixed(2)).join('  ')}
        </Fact>
        <Fact name={text.clock} title={text.clockTitle} warns={clockWarns}>
          {clockOffsetMs === undefined ? text.unknown : formatOffset(clockOffsetMs)}
        </Fact>
        <Fact name={text.beat} title={formatInstant(worker.beatAt)}>
          <TimeAgo at={worker.beatAt} />
        </Fact>
        <Fact name={text.up} title={formatInstant(worker.startedAt)}>
          <Elapsed since={worker.startedAt} />
        </Fact>
        <Fact
          name={text.backlog}
          title={text.backlogTitle}
          warns={spool.trouble !== undefined || spool.rejectedRecords > 0}
        >
          {spool.pendingRecords === 0
            ? text.backlogNone
            : text.backlogOf(spool.pendingRecords, formatBytes(spool.pendingBytes))}
        </Fact>
        <Fact name={text.version}>{worker.version}</Fact>
        <Fact name={text.session} title={worker.session}>
          <code>{worker.session}</code>
        </Fact>
      </dl>
      {concerns.length > 0 && (
        <ul className="worker-reasons">
          {concerns.map((reason) => (
            <li key={reason}>
              <Icon name="alert" size={14} />
              {reason}
            </li>
          ))}
        </ul>
      )}
      <footer>
        <Link className="link" href={`/runs?worker=${encodeURIComponent(worker.id)}`}>
          {text.runs}
        </Link>
      </footer>
    </article>
  );
}

function Slots({ worker }: { readonly worker: WorkerItem }) {
  const text = useMessages(workersMessages);
  const { running, slots } = worker;
  const label = text.slotsUsed(running, slots);
  const drawn = Math.min(slots, mostDrawn);
  const used = slots === 0 ? 0 : Math.ceil((running / slots) * drawn);
  return (
    <div className="slots">
      <div
        className="slot-bar"
        role="meter"
        aria-label={text.slots}
        aria-valuemin={0}
        aria-valuemax={slots}
        aria-valuenow={running}
        aria-valuetext={label}
      >
        {Array.from({ length: drawn }, (_, slot) => slot).map((slot) => (
          <i key={slot} className={slot < used ? 'used' : undefined} />
        ))}
      </div>
      <span className="num">{label}</span>
    </div>
  );
}

function formatOffset(ms: number): string {
  const sign = ms < 0 ? '−' : '+';
  const size = Math.abs(ms);
  return size < 1000 ? `${sign}${Math.round(size)} ms` : `${sign}${(size / 1000).toFixed(2)} s`;
}

interface FactProps {
  readonly name: string;
  readonly title?: string;
  readonly warns?: boolean;
  readonly children: ReactNode;
}

function Fact({ name, title, warns = false, children }: FactProps) {
  return (
    <div title={title}>
      <dt>{name}</dt>
      <dd className={warns ? 'warns' : undefined}>{children}</dd>
    </div>
  );
}
