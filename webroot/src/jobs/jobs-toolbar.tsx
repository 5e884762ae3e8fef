/** Search and facets of the jobs table. Typing is sent on after a short rest. */
import { useEffect, useRef, useState } from 'react';
import type { JobFilter, JobStatus } from '../api/filters.ts';
import type { FacetValue, Overview } from '../api/shapes.ts';
import { formatCount } from '../format/count.ts';
import { useMessages } from '../i18n/language.ts';
import { Icon } from '../ui/icon.tsx';
import { jobSorts, jobStatuses } from './job-filter.ts';
import { jobsMessages } from './messages.ts';

const restMs = 100;

interface JobsToolbarProps {
  readonly filter: JobFilter;
  readonly groups: readonly FacetValue[];
  readonly overview: Overview | undefined;
  readonly onChange: (
    changes: Readonly<Record<string, string | readonly string[] | undefined>>,
  ) => void;
}

export function JobsToolbar({ filter, groups, overview, onChange }: JobsToolbarProps) {
  const text = useMessages(jobsMessages);
  const selectedGroup = filter.groups[0] ?? '';
  const counts: Partial<Record<string, number>> = {
    paused: overview?.jobs.paused,
    quarantined: overview?.jobs.quarantined,
    failing: overview?.jobs.failing,
    attention: overview?.jobs.attention,
  };
  // Offered when there is something to look at.
  const isOffered = (status: JobStatus): boolean =>
    status !== 'attention' || (counts[status] ?? 0) > 0 || filter.statuses.includes(status);
  return (
    <div className="toolbar">
      <SearchField value={filter.q ?? ''} onChange={(q) => onChange({ q })} />
      <div className="segments" role="group" aria-label={text.statusLabel}>
        <button
          type="button"
          aria-pressed={filter.statuses.length === 0}
          onClick={() => onChange({ status: undefined })}
        >
          {text.allStatuses}
        </button>
        {jobStatuses.filter(isOffered).map((status) => (
          <button
            type="button"
            key={status}
            aria-pressed={filter.statuses.includes(status)}
            onClick={(event) => {
              const on = filter.statuses.includes(status);
              const others = filter.statuses.filter((other) => other !== status);
              // With Ctrl or Shift several can be chosen; a plain click chooses one.
              const several = event.ctrlKey || event.metaKey || event.shiftKey;
              const next = on ? [] : [status];
              onChange({ status: several ? [...others, ...next] : next });
            }}
          >
            {text.status[status]}
            {(counts[status] ?? 0) > 0 && (
              <span className="count num">{formatCount(counts[status] ?? 0)}</span>
            )}
          </button>
        ))}
      </div>
      <select
        className="input group-select"
        aria-label={text.group}
        value={selectedGroup}
        onChange={(event) => onChange({ group: event.target.value })}
      >
        <option value="">{text.allGroups}</option>
        {selectedGroup !== '' && !groups.some(({ value }) => value === selectedGroup) && (
          <option value={selectedGroup}>{selectedGroup}</option>
        )}
        {groups.map(({ value, count }) => (
          <option key={value} value={value}>
            {value} ({formatCount(count)})
          </option>
        ))}
      </select>
      <select
        className="input sort-select"
        aria-label={text.sortLabel}
        value={filter.sort}
        onChange={(event) =>
          onChange({ sort: event.target.value === 'name' ? undefined : event.target.value })
        }
      >
        {jobSorts.map((sort) => (
          <option key={sort} value={sort}>
            {text.sort[sort]}
          </option>
        ))}
      </select>
    </div>
  );
}

function SearchField({
  value,
  onChange,
}: {
  readonly value: string;
  readonly onChange: (value: string) => void;
}) {
  const text = useMessages(jobsMessages);
  const [draft, setDraft] = useState(value);
  const sent = useRef(value);
  useEffect(() => {
    // The address changed by itself (back, a link): the field follows.
    if (value !== sent.current) {
      sent.current = value;
      setDraft(value);
    }
  }, [value]);
  useEffect(() => {
    if (draft === sent.current) return undefined;
    const timer = setTimeout(() => {
      sent.current = draft;
      onChange(draft);
    }, restMs);
    return () => clearTimeout(timer);
  }, [draft, onChange]);
  return (
    <div className="search-field">
      <Icon name="search" size={14} />
      <input
        type="search"
        className="input"
        data-search
        data-testid="search"
        aria-label={text.searchLabel}
        placeholder={text.search}
        spellCheck={false}
        autoComplete="off"
        value={draft}
        onChange={(event) => setDraft(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === 'Escape') {
            if (draft === '') event.currentTarget.blur();
            setDraft('');
          }
        }}
      />
      <kbd>/</kbd>
    </div>
  );
}
