/** The form of a calendar: its fields, and beside them the year that they make. */
import { useQuery } from '@tanstack/react-query';
import { type SyntheticEvent, useCallback, useEffect, useId, useRef, useState } from 'react';
import { Link, useLocation } from 'wouter';
import { isApiError } from '../api/api-error.ts';
import { calendarQuery } from '../api/queries.ts';
import { Field } from '../editor/field.tsx';
import { commonMessages } from '../i18n/common-messages.ts';
import { useMessages } from '../i18n/language.ts';
import { useNowAs } from '../live/use-now.ts';
import { guardNavigation } from '../shell/navigation-guard.ts';
import { askToConfirm } from '../ui/confirm-store.ts';
import { useDescribeError } from '../ui/describe-error.ts';
import { Icon } from '../ui/icon.tsx';
import { showToast } from '../ui/toast-store.ts';
import { usePageTitle } from '../ui/use-page-title.ts';
import { toggleDay } from './date-lines.ts';
import { DatesField } from './dates-field.tsx';
import { calendarsMessages } from './messages.ts';
import { type OriginalCalendar, useCalendarForm } from './use-calendar-form.ts';
import { YearView } from './year-view.tsx';

const modes = ['exclude', 'only'] as const;

interface CalendarFormProps {
  readonly original: OriginalCalendar;
  /** Begins again from what is stored now. */
  readonly onRestart: () => void;
}

export function CalendarForm({ original, onRestart }: CalendarFormProps) {
  const text = useMessages(calendarsMessages);
  const common = useMessages(commonMessages);
  const describe = useDescribeError();
  const [, navigate] = useLocation();
  const form = useCalendarForm(original);
  const { draft, dirty, lines, problems, change, saving } = form;
  const element = useRef<HTMLFormElement>(null);
  const id = useId();
  const thisYear = useNowAs((now) => new Date(now).getFullYear());
  const [year, setYear] = useState(thisYear);
  const isNew = original.name === undefined;
  const title = isNew ? text.newTitle : text.editTitle(original.name ?? '');
  usePageTitle(title);
  const stored = useQuery({ ...calendarQuery(original.name ?? ''), enabled: !isNew });
  const deleted = !isNew && isApiError(stored.error, 404);
  const movedOn = !isNew && stored.data !== undefined && stored.data.revision !== original.revision;
  const conflict = (deleted || movedOn) && !saving;
  const usedBy = stored.data?.usedBy ?? 0;
  const letGo = useLeaveGuard(dirty);

  async function save(revision: number | undefined): Promise<void> {
    const outcome = await form.save(revision);
    if (outcome.kind === 'saved') {
      letGo();
      showToast(
        isNew
          ? { tone: 'good', text: text.created(outcome.name), detail: text.createdDetail }
          : { tone: 'good', text: text.saved(outcome.name) },
      );
      navigate(`/calendars/${encodeURIComponent(outcome.name)}`);
    } else if (outcome.kind === 'refused') {
      requestAnimationFrame(() => {
        element.current
          ?.querySelector<HTMLElement>(':is(input, textarea)[aria-invalid="true"]')
          ?.focus();
      });
    } else {
      showToast({ tone: 'bad', ...describe(outcome.error) });
    }
  }

  function onSubmit(event: SyntheticEvent): void {
    event.preventDefault();
    if (!saving) void save(original.revision);
  }

  return (
    <form
      className="calendar-form"
      ref={element}
      onSubmit={onSubmit}
      noValidate
      aria-labelledby={id}
    >
      <div className="calendar-fields">
        <header className="page-head">
          <h1 id={id}>{title}</h1>
        </header>
        {conflict && (
          <section className="calendar-missing" role="alert" data-testid="conflict">
            <Icon name="alert" />
            <div>
              <h2>{text.changedTitle}</h2>
              <p className="muted">{deleted ? text.changedGone : text.changedText}</p>
              <div className="notice-actions">
                {!deleted && (
                  <button type="button" className="button" onClick={onRestart}>
                    {text.takeTheirs}
                  </button>
                )}
                <button
                  type="button"
                  className="button"
                  onClick={() => void save(deleted ? undefined : stored.data?.revision)}
                >
                  {text.keepMine}
                </button>
              </div>
            </div>
          </section>
        )}
        {original.broken && <p className="calendar-note">{text.quarantined}</p>}
        {isNew && (
          <Field
            label={text.name}
            hint={text.nameHint}
            errors={form.errorsOf('name')}
            errorTestId="name-error"
            renderControl={(props) => (
              <input
                {...props}
                ref={focusWhenEmpty}
                className="input"
                data-testid="name-input"
                spellCheck={false}
                autoCapitalize="off"
                autoComplete="off"
                value={draft.name}
                onChange={(event) => change({ name: event.target.value })}
              />
            )}
          />
        )}
        {form.taken && (
          <p className="field-taken" role="alert" data-testid="name-taken">
            {text.nameTaken}{' '}
            <Link className="link" href={`/calendars/${encodeURIComponent(draft.name.trim())}`}>
              {text.openIt}
            </Link>
          </p>
        )}
        <fieldset className="field choice">
          <legend>{text.modeLabel}</legend>
          {modes.map((mode) => (
            <label key={mode}>
              <input
                type="radio"
                name="mode"
                data-testid={`mode-${mode}`}
                checked={draft.mode === mode}
                onChange={() => change({ mode })}
              />
              <span>{text.modeChoice[mode][0]}</span>
              <small>{text.modeChoice[mode][1]}</small>
            </label>
          ))}
        </fieldset>
        <DatesField
          value={draft.dates}
          count={lines.dates.length}
          problems={problems}
          onChange={(dates) => change({ dates })}
        />
        <Field
          label={text.description}
          hint={text.descriptionHint}
          errors={form.errorsOf('description')}
          renderControl={(props) => (
            <textarea
              {...props}
              className="input"
              rows={2}
              data-testid="description-input"
              value={draft.description}
              onChange={(event) => change({ description: event.target.value })}
            />
          )}
        />
      </div>
      <div className="calendar-preview">
        <YearView
          year={year}
          onYear={setYear}
          mode={draft.mode}
          lines={lines.good}
          onDay={(day) => change({ dates: toggleDay(draft.dates, day) })}
        />
        {usedBy > 0 && <p className="muted">{text.follow(usedBy)}</p>}
      </div>
      <div className="calendar-actions">
        {problems.length > 0 && <p className="field-error">{text.problems(problems.length)}</p>}
        <Link
          className="button"
          href={isNew ? '/calendars' : `/calendars/${encodeURIComponent(original.name ?? '')}`}
        >
          {common.cancel}
        </Link>
        <button
          type="submit"
          className="button primary"
          data-testid="save-calendar"
          disabled={saving || conflict}
        >
          {saving ? text.saving : isNew ? text.create : text.save}
        </button>
      </div>
    </form>
  );
}

/** Asks before typed text is lost; what it answers says that it is not any more. */
function useLeaveGuard(dirty: boolean): () => void {
  const text = useMessages(calendarsMessages);
  const leaving = useRef(false);
  useEffect(() => {
    if (!dirty) return undefined;
    const onUnload = (event: BeforeUnloadEvent): void => {
      if (!leaving.current) event.preventDefault();
    };
    addEventListener('beforeunload', onUnload);
    const release = guardNavigation(async () => {
      if (leaving.current) return true;
      return askToConfirm({
        title: text.leaveTitle,
        text: text.leaveText,
        confirm: text.leave,
        cancel: text.stay,
        tone: 'danger',
      });
    });
    return () => {
      removeEventListener('beforeunload', onUnload);
      release();
    };
  }, [dirty, text]);
  return useCallback(() => {
    leaving.current = true;
  }, []);
}

function focusWhenEmpty(input: HTMLInputElement | null): void {
  if (input?.value === '') input.focus();
}
