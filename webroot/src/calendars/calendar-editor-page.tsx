/** A new calendar, or one that exists: fetches it, and gives the form something to begin with. */
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useSearch } from 'wouter';
import { isApiError } from '../api/api-error.ts';
import { calendarQuery } from '../api/queries.ts';
import type { CalendarDetail } from '../api/shapes.ts';
import { NotFound } from '../shell/not-found.tsx';
import { ErrorPanel } from '../ui/error-panel.tsx';
import { SkeletonBlock } from '../ui/skeleton.tsx';
import { CalendarForm } from './calendar-form.tsx';
import type { OriginalCalendar } from './use-calendar-form.ts';
import '../editor/fields.css';
import './calendars.css';

export function CalendarEditorPage({ name }: { readonly name?: string }) {
  return name === undefined ? <NewCalendar /> : <StoredCalendar name={name} />;
}

function NewCalendar() {
  const suggested = new URLSearchParams(useSearch()).get('name') ?? '';
  const [original] = useState<OriginalCalendar>(() => ({
    name: undefined,
    draft: { name: suggested, description: '', mode: 'exclude', dates: '' },
    revision: undefined,
    broken: false,
  }));
  return <CalendarForm original={original} onRestart={() => undefined} />;
}

function StoredCalendar({ name }: { readonly name: string }) {
  const { data, error, refetch } = useQuery(calendarQuery(name));
  // What the editing began with stays, whatever comes in by and by.
  const [original, setOriginal] = useState<OriginalCalendar | undefined>();
  if (!original && data) setOriginal(originalOf(name, data));
  if (!original) {
    if (isApiError(error, 404)) return <NotFound />;
    if (error) return <ErrorPanel error={error} onRetry={() => void refetch()} />;
    return <SkeletonBlock height={480} />;
  }
  return (
    <CalendarForm
      key={original.revision}
      original={original}
      onRestart={() => {
        if (data) setOriginal(originalOf(name, data));
      }}
    />
  );
}

function originalOf(name: string, { calendar, revision, raw }: CalendarDetail): OriginalCalendar {
  return {
    name,
    draft: {
      name,
      description: calendar?.description ?? '',
      mode: calendar?.mode ?? 'exclude',
      dates: linesOf(calendar?.dates ?? datesOfRaw(raw ?? '')),
    },
    revision,
    broken: calendar === undefined,
  };
}

function linesOf(dates: readonly string[]): string {
  return dates.length === 0 ? '' : `${dates.join('\n')}\n`;
}

/** What can be read of a text that is no calendar: mostly one date of many is wrong. */
function datesOfRaw(raw: string): string[] {
  try {
    const stored: unknown = JSON.parse(raw);
    if (typeof stored !== 'object' || stored === null || !('dates' in stored)) return [];
    const { dates } = stored;
    return Array.isArray(dates) ? dates.filter((date) => typeof date === 'string') : [];
  } catch {
    return [];
  }
}
