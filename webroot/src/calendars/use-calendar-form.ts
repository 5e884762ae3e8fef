/**
 * The state of a calendar's form: what is typed, what is wrong with it line by line (told at once, by
 * the code that the workers read dates with), and what the master said at the last attempt to save.
 */
import { useQueryClient } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import type { Calendar } from '../../../shared/calendar/definition.ts';
import { isApiError } from '../api/api-error.ts';
import { saveCalendar } from '../api/commands.ts';
import { calendarQuery } from '../api/queries.ts';
import type { FieldError } from '../api/shapes.ts';
import { useMessages } from '../i18n/language.ts';
import { type LineProblem, readDateLines } from './date-lines.ts';
import { calendarsMessages } from './messages.ts';

export interface CalendarDraft {
  readonly name: string;
  readonly description: string;
  readonly mode: Calendar['mode'];
  /** One to a line. */
  readonly dates: string;
}

export interface OriginalCalendar {
  /** Undefined for a new one. */
  readonly name: string | undefined;
  readonly draft: CalendarDraft;
  readonly revision: number | undefined;
  readonly broken: boolean;
}

export type SaveOutcome =
  | { readonly kind: 'saved'; readonly name: string }
  | { readonly kind: 'refused' }
  | { readonly kind: 'failed'; readonly error: unknown };

export function useCalendarForm(original: OriginalCalendar) {
  const text = useMessages(calendarsMessages);
  const queryClient = useQueryClient();
  const [draft, setDraft] = useState(original.draft);
  const [refused, setRefused] = useState<readonly FieldError[]>([]);
  const [taken, setTaken] = useState(false);
  const [saving, setSaving] = useState(false);
  const lines = useMemo(() => readDateLines(draft.dates), [draft.dates]);
  const dirty = JSON.stringify(draft) !== JSON.stringify(original.draft);

  /** Of the master, by line: a date that it refuses and this page does not. */
  const refusedLines = refused.flatMap(({ pointer, message, expected, got }): LineProblem[] => {
    const index = /^\/dates\/(\d+)$/.exec(pointer)?.[1];
    const line = index === undefined ? undefined : lines.lineOfDate[Number(index)];
    return line === undefined ? [] : [{ line, message, expected, got }];
  });

  function change(part: Partial<CalendarDraft>): void {
    setDraft((current) => ({ ...current, ...part }));
    setRefused([]);
    if (part.name !== undefined) setTaken(false);
  }

  async function save(revision: number | undefined): Promise<SaveOutcome> {
    const name = draft.name.trim();
    if (name === '') {
      setRefused([{ pointer: '/name', ...text.nameMissing, got: '' }]);
      return { kind: 'refused' };
    }
    if (lines.problems.length > 0) return { kind: 'refused' };
    const { description, mode } = draft;
    setSaving(true);
    try {
      await saveCalendar({ name, description, mode, dates: [...lines.dates] }, revision);
      void queryClient.invalidateQueries();
      // It stays `saving`: the room is about to be left.
      return { kind: 'saved', name };
    } catch (error) {
      setSaving(false);
      if (isApiError(error, 412)) {
        setTaken(original.name === undefined);
        void queryClient.invalidateQueries(calendarQuery(name));
        return { kind: 'refused' };
      }
      if (isApiError(error) && error.errors.length > 0) {
        setRefused(error.errors);
        return { kind: 'refused' };
      }
      return { kind: 'failed', error };
    }
  }

  return {
    draft,
    dirty,
    lines,
    problems: lines.problems.length > 0 ? lines.problems : refusedLines,
    errorsOf: (field: 'name' | 'description' | 'mode' | 'dates') =>
      refused.filter(({ pointer }) => pointer === `/${field}` || pointer === field),
    change,
    save,
    saving,
    /** The name of a new calendar is another one's. */
    taken,
  };
}
