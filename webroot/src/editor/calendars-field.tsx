/** Which calendars hold the job back: those that there are, to be chosen; those that are gone, to go. */
import { useQuery } from '@tanstack/react-query';
import { useId } from 'react';
import { Link } from 'wouter';
import { calendarsQuery } from '../api/queries.ts';
import type { CalendarItem } from '../api/shapes.ts';
import { useMessages } from '../i18n/language.ts';
import { Icon } from '../ui/icon.tsx';
import { FieldErrors } from './field.tsx';
import { editorMessages } from './messages.ts';
import type { FieldsProps } from './text-input.tsx';

export function CalendarsField({ draft, errorsOf, onChange }: FieldsProps) {
  const text = useMessages(editorMessages);
  const id = useId();
  const { data } = useQuery(calendarsQuery);
  const chosen = draft.calendars;
  // The places in the master's pointers mean nothing to a person.
  const errors = errorsOf('calendars').map((error) => ({ ...error, pointer: '/calendars' }));
  const there = data?.items ?? [];
  const gone = data ? chosen.filter((name) => !there.some((item) => item.name === name)) : [];

  function toggle(name: string): void {
    const others = chosen.filter((other) => other !== name);
    onChange('calendars', others.length < chosen.length ? others : [...chosen, name]);
  }

  return (
    <fieldset className="field calendars-field" aria-describedby={`${id}-hint`}>
      <legend>{text.calendars}</legend>
      <div className="calendar-choices" data-testid="calendars-input">
        {there.map((item) => (
          <Choice
            key={item.name}
            name={item.name}
            item={item}
            on={chosen.includes(item.name)}
            onPress={() => toggle(item.name)}
          />
        ))}
        {gone.map((name) => (
          <Choice key={name} name={name} item={undefined} on onPress={() => toggle(name)} />
        ))}
        {data && there.length === 0 && gone.length === 0 && (
          <p className="muted">
            {text.noCalendars}{' '}
            <Link className="link" href="/calendars/new">
              {text.makeCalendar}
            </Link>
          </p>
        )}
      </div>
      {errors.length > 0 && (
        <FieldErrors id={`${id}-error`} errors={errors} testId="calendars-error" />
      )}
      {there.length > 0 && errors.length === 0 && (
        <p className="field-hint" id={`${id}-hint`}>
          {text.calendarsHint}
        </p>
      )}
    </fieldset>
  );
}

interface ChoiceProps {
  readonly name: string;
  /** Undefined when there is no such calendar (any more). */
  readonly item: CalendarItem | undefined;
  readonly on: boolean;
  readonly onPress: () => void;
}

function Choice({ name, item, on, onPress }: ChoiceProps) {
  const text = useMessages(editorMessages);
  const { mode, description = '', problems } = item ?? {};
  const bad = item === undefined || problems !== undefined;
  const says = bad
    ? item === undefined
      ? text.calendarGone
      : text.calendarBroken
    : text.calendarMode[mode ?? 'exclude'];
  return (
    <button
      type="button"
      className={bad ? 'calendar-choice bad' : 'calendar-choice'}
      aria-pressed={on}
      title={description === '' ? says : `${says}\n${description}`}
      data-testid={`calendar-${name}`}
      onClick={onPress}
    >
      <Icon name={bad ? 'alert' : on ? 'check' : 'plus'} size={12} />
      <b>{name}</b>
      <small>{says}</small>
    </button>
  );
}
