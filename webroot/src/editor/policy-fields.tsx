/** What happens when runs overlap, when fires were missed, and when a run did not succeed. */
import { useId } from 'react';
import type { Job } from '../../../shared/job/definition.ts';
import type { FieldError } from '../api/shapes.ts';
import { commonMessages } from '../i18n/common-messages.ts';
import { useMessages } from '../i18n/language.ts';
import { FieldErrors } from './field.tsx';
import { editorMessages } from './messages.ts';
import { type FieldsProps, TextInput } from './text-input.tsx';

const overlaps = ['forbid', 'queue', 'replace', 'allow'] as const satisfies Job['concurrency'][];
const misfires = ['latest', 'skip', 'all'] as const satisfies Job['misfire'][];
const retryOutcomes = ['failed', 'timed-out', 'lost'] as const satisfies Job['retries']['on'];

export function OverlapFields(props: FieldsProps) {
  const text = useMessages(editorMessages);
  const { draft, errorsOf, onChange } = props;
  return (
    <>
      <Choice
        label={text.concurrency}
        name="concurrency"
        values={overlaps}
        words={text.overlap}
        value={draft.concurrency}
        errors={errorsOf('concurrency')}
        onChange={(value) => onChange('concurrency', value)}
      />
      {draft.concurrency === 'allow' && (
        <div className="field-row thirds">
          <TextInput {...props} field="maxConcurrent" hint={text.maxConcurrentHint} />
        </div>
      )}
    </>
  );
}

export function RecoveryFields(props: FieldsProps) {
  const text = useMessages(editorMessages);
  const common = useMessages(commonMessages);
  const { draft, errorsOf, onChange } = props;
  const retries = draft.retryMax.trim() !== '0';
  return (
    <>
      <Choice
        label={text.misfireLabel}
        name="misfire"
        values={misfires}
        words={text.misfire}
        value={draft.misfire}
        errors={errorsOf('misfire')}
        onChange={(value) => {
          onChange('misfire', value);
          if (value === 'all' && draft.misfireLimit === '') onChange('misfireLimit', '10');
        }}
      />
      <div className="field-row thirds">
        <TextInput {...props} field="startDeadline" hint={text.startDeadlineHint} />
        {draft.misfire === 'all' && (
          <TextInput {...props} field="misfireLimit" hint={text.misfireLimitHint} />
        )}
      </div>
      <div className="field-row thirds">
        <TextInput {...props} field="retryMax" hint={text.retryMaxHint} />
        {retries && (
          <>
            <TextInput {...props} field="retryBackoff" hint={text.retryBackoffHint} />
            <TextInput {...props} field="retryMaxBackoff" />
          </>
        )}
      </div>
      {retries && (
        <fieldset className="field checks">
          <legend>{text.retryOn}</legend>
          {retryOutcomes.map((outcome) => (
            <label className="check" key={outcome}>
              <input
                type="checkbox"
                checked={draft.retryOn.includes(outcome)}
                onChange={(event) => {
                  const others = draft.retryOn.filter((other) => other !== outcome);
                  onChange('retryOn', event.target.checked ? [...others, outcome] : others);
                }}
              />
              {common.outcome[outcome]}
            </label>
          ))}
        </fieldset>
      )}
    </>
  );
}

interface ChoiceProps<T extends string> {
  readonly label: string;
  readonly name: string;
  readonly values: readonly T[];
  /** What it is called, and what it means. */
  readonly words: Readonly<Record<T, readonly [string, string]>>;
  readonly value: T;
  readonly errors: readonly FieldError[];
  readonly onChange: (value: T) => void;
}

function Choice<T extends string>(props: ChoiceProps<T>) {
  const { label, name, values, words, value, errors, onChange } = props;
  const id = useId();
  return (
    <fieldset className={values.length === 3 ? 'field choice thirds' : 'field choice'}>
      <legend>{label}</legend>
      {values.map((option) => (
        <label key={option}>
          <input
            type="radio"
            name={name}
            value={option}
            data-testid={`${name}-${option}`}
            checked={value === option}
            onChange={() => onChange(option)}
          />
          <span>{words[option][0]}</span>
          <small>{words[option][1]}</small>
        </label>
      ))}
      {errors.length > 0 && <FieldErrors id={id} errors={errors} />}
    </fieldset>
  );
}
