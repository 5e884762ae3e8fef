/**
 * The editor's state: what is typed, what the master says about it while it is typed (a preview of
 * the schedule, a dry run of the whole), what was wrong at the last attempt to save, and whether
 * somebody else has changed the job meanwhile.
 */
import { keepPreviousData, useQuery, useQueryClient } from '@tanstack/react-query';
import { useCallback, useEffect, useState } from 'react';
import type { Job } from '../../../shared/job/definition.ts';
import { isApiError } from '../api/api-error.ts';
import { saveJob, tryJob } from '../api/commands.ts';
import { jobQuery, previewQuery } from '../api/queries.ts';
import type { FieldError } from '../api/shapes.ts';
import { useMessages } from '../i18n/language.ts';
import { useSettled } from '../use-settled.ts';
import { type Draft, inputOfDraft } from './draft.ts';
import { fieldAt } from './draft-fields.ts';
import { forgetDraft, recallDraft, storeDraft } from './draft-storage.ts';
import { editorMessages } from './messages.ts';

const previewRestMs = 300;
const dryRunRestMs = 600;

export interface Original {
  /** The job's name; undefined for a new one. */
  readonly name: string | undefined;
  readonly draft: Draft;
  /** What the draft was made from; undefined for a new or quarantined job. */
  readonly job: Job | undefined;
  readonly revision: number | undefined;
}

export type SaveResult =
  | { readonly kind: 'saved'; readonly job: Job }
  | { readonly kind: 'conflict' }
  | { readonly kind: 'refused' }
  | { readonly kind: 'failed'; readonly error: unknown };

export function useEditor(original: Original) {
  const text = useMessages(editorMessages);
  const queryClient = useQueryClient();
  const { name } = original;
  const [recalled] = useState(() => recallDraft(name, original.revision, original.draft));
  const [restored, setRestored] = useState(recalled !== undefined);
  const [draft, setDraft] = useState<Draft>(recalled ?? original.draft);
  const [touched, setTouched] = useState<ReadonlySet<keyof Draft>>(new Set());
  const [refused, setRefused] = useState<readonly FieldError[]>([]);
  const [saving, setSaving] = useState(false);
  const [conflict, setConflict] = useState(false);

  const dirty = JSON.stringify(draft) !== JSON.stringify(original.draft);
  const { job: input, errors: unsendable } = inputOfDraft(draft, text, original.job);

  useEffect(() => {
    if (dirty) storeDraft(name, { revision: original.revision, draft });
    else forgetDraft(name);
  }, [dirty, name, draft, original.revision]);

  const calendarNames = draft.calendars.join('\n');
  const schedule = useSettled(
    `${input.cronExpr}\n${input.timezone ?? ''}\n${calendarNames}`,
    previewRestMs,
  );
  const [cronExpr = '', timezone = '', ...names] = schedule.split('\n');
  const calendars = names.filter((each) => each !== '');
  const preview = useQuery({
    ...previewQuery({ cronExpr, timezone, calendars }),
    enabled: cronExpr !== '',
    placeholderData: keepPreviousData,
    // The list moves on with its first fire.
    refetchInterval: ({ state }) => {
      const first = state.data?.ticks[0]?.tick;
      return first === undefined ? 60_000 : Math.min(60_000, Math.max(3000, first - Date.now()));
    },
  });

  const complete = unsendable.length === 0 && input.command !== '' && input.cronExpr !== '';
  const settledInput = useSettled(JSON.stringify(input), dryRunRestMs);
  const dryRun = useQuery({
    queryKey: ['dry-run', original.revision, settledInput],
    queryFn: ({ signal }) => tryJob(input.name, input, original.revision, signal),
    enabled: complete && settledInput === JSON.stringify(input) && (dirty || name === undefined),
    retry: false,
    refetchInterval: false,
    staleTime: 5000,
  });

  const change = useCallback(<K extends keyof Draft>(field: K, value: Draft[K]): void => {
    setDraft((current) => ({ ...current, [field]: value }));
    setTouched((current) => (current.has(field) ? current : new Set([...current, field])));
    setRefused((current) => current.filter(({ pointer }) => fieldAt(pointer) !== field));
  }, []);

  const errors = new Map<string, FieldError>();
  type Shown = (field: keyof Draft | undefined) => boolean;
  const collect = (found: readonly FieldError[], shown: Shown): void => {
    for (const error of found) {
      if (shown(fieldAt(error.pointer))) errors.set(`${error.pointer} ${error.message}`, error);
    }
  };
  const isTouched: Shown = (field) => field !== undefined && touched.has(field);
  collect(refused, () => true);
  collect(unsendable, (field) => field !== 'name' && isTouched(field));
  if (isApiError(preview.error) && input.cronExpr !== '') collect(preview.error.errors, () => true);
  if (isApiError(dryRun.error)) collect(dryRun.error.errors, isTouched);

  async function save(revision: number | undefined): Promise<SaveResult> {
    if (unsendable.length > 0) {
      setRefused(unsendable);
      return { kind: 'refused' };
    }
    setSaving(true);
    try {
      const { job } = await saveJob(input.name, input, revision);
      forgetDraft(name);
      void queryClient.invalidateQueries();
      // It stays `saving`: the room is about to be left.
      return { kind: 'saved', job };
    } catch (error) {
      setSaving(false);
      if (isApiError(error, 412)) {
        setConflict(true);
        if (name !== undefined) void queryClient.invalidateQueries(jobQuery(name));
        return { kind: 'conflict' };
      }
      if (isApiError(error) && error.errors.length > 0) {
        setRefused(error.errors);
        return { kind: 'refused' };
      }
      return { kind: 'failed', error };
    }
  }

  function discard(): void {
    forgetDraft(name);
    setRestored(false);
    setRefused([]);
    setDraft(original.draft);
  }

  const taken = name === undefined && (conflict || isApiError(dryRun.error, 412));
  return {
    draft,
    dirty,
    change: (field: keyof Draft, value: Draft[keyof Draft]) => {
      setConflict(false);
      change(field, value);
    },
    errors: [...errors.values()],
    preview,
    previewZone: timezone,
    changes: dryRun.data?.changes,
    checking: dryRun.isFetching,
    save,
    saving,
    restored,
    discard,
    /** The name of a new job is another job's. */
    taken,
  };
}
