/** When: the expression, its zone, and schedules to start from. */
import { useMessages } from '../i18n/language.ts';
import { Field } from './field.tsx';
import { editorMessages } from './messages.ts';
import type { FieldsProps } from './text-input.tsx';

const zones = ['UTC', ...Intl.supportedValuesOf('timeZone').filter((zone) => zone !== 'UTC')];

export function ScheduleFields({ draft, errorsOf, onChange }: FieldsProps) {
  const text = useMessages(editorMessages);
  return (
    <>
      <div className="field-row">
        <Field
          className="grow"
          label={text.cronExpr}
          hint={text.cronHint}
          errors={errorsOf('cronExpr')}
          errorTestId="cron-error"
          renderControl={(props) => (
            <input
              {...props}
              className="input mono cron-input"
              data-testid="cron-input"
              placeholder="*/5 * * * * *"
              spellCheck={false}
              autoCapitalize="off"
              autoComplete="off"
              value={draft.cronExpr}
              onChange={(event) => onChange('cronExpr', event.target.value)}
            />
          )}
        />
        <Field
          label={text.timezone}
          hint={text.timezoneHint}
          errors={errorsOf('timezone')}
          errorTestId="timezone-error"
          renderControl={(props) => (
            <input
              {...props}
              className="input"
              data-testid="timezone-input"
              list="time-zones"
              spellCheck={false}
              autoComplete="off"
              value={draft.timezone}
              onChange={(event) => onChange('timezone', event.target.value)}
            />
          )}
        />
      </div>
      <datalist id="time-zones">
        {zones.map((zone) => (
          <option key={zone} value={zone}>
            {zone}
          </option>
        ))}
      </datalist>
      <div className="quick-picks" role="group" aria-label={text.quickPicks}>
        {Object.entries(text.picks).map(([expression, words]) => (
          <button
            type="button"
            key={expression}
            className="button small"
            title={expression}
            aria-pressed={draft.cronExpr.trim() === expression}
            onClick={() => onChange('cronExpr', expression)}
          >
            {words}
          </button>
        ))}
      </div>
    </>
  );
}
