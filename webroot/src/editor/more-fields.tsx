/** Overlap, limits, words about the job, and what surrounds its runs. */
import type { FieldError } from '../api/shapes.ts';
import { useMessages } from '../i18n/language.ts';
import { type Draft } from './draft.ts';
import { Field } from './field.tsx';
import { editorMessages } from './messages.ts';
import { PairsField } from './pairs-field.tsx';

interface FieldsProps {
  readonly draft: Draft;
  readonly errorsOf: (field: string) => readonly FieldError[];
  readonly onChange: <K extends keyof Draft>(field: K, value: Draft[K]) => void;
}

type TextField = 'timeout' | 'grace' | 'maxOutput' | 'group' | 'workingDirectory' | 'shell';

const jobField: Readonly<Record<TextField, string>> = {
  timeout: 'timeoutSeconds',
  grace: 'killGraceSeconds',
  maxOutput: 'maxOutputBytes',
  group: 'group',
  workingDirectory: 'workingDirectory',
  shell: 'shell',
};

function TextInput({
  field,
  hint,
  mono = false,
  draft,
  errorsOf,
  onChange,
}: FieldsProps & { readonly field: TextField; readonly hint?: string; readonly mono?: boolean }) {
  const text = useMessages(editorMessages);
  return (
    <Field
      label={text[field]}
      {...(hint === undefined ? {} : { hint })}
      errors={errorsOf(jobField[field])}
      renderControl={(props) => (
        <input
          {...props}
          className={mono ? 'input mono' : 'input'}
          data-testid={`${field}-input`}
          spellCheck={false}
          autoComplete="off"
          value={draft[field]}
          onChange={(event) => onChange(field, event.target.value)}
        />
      )}
    />
  );
}

const overlaps: readonly Draft['concurrency'][] = ['forbid', 'allow'];

export function LimitFields(props: FieldsProps) {
  const text = useMessages(editorMessages);
  const { draft, onChange } = props;
  // A definition made elsewhere may say more than is offered here.
  const offered = [...new Set([...overlaps, draft.concurrency])];
  return (
    <>
      <fieldset className="field choice">
        <legend>{text.concurrency}</legend>
        {offered.map((value) => (
          <label key={value}>
            <input
              type="radio"
              name="concurrency"
              value={value}
              checked={draft.concurrency === value}
              onChange={() => onChange('concurrency', value)}
            />
            <span>{text.overlap[value][0]}</span>
            <small>{text.overlap[value][1]}</small>
          </label>
        ))}
      </fieldset>
      <div className="field-row thirds">
        <TextInput {...props} field="timeout" hint={text.timeoutHint} />
        <TextInput {...props} field="grace" hint={text.graceHint} />
        <TextInput {...props} field="maxOutput" hint={text.maxOutputHint} />
      </div>
    </>
  );
}

export function AboutFields(props: FieldsProps) {
  const text = useMessages(editorMessages);
  const { draft, errorsOf, onChange } = props;
  return (
    <div className="field-row">
      <Field
        className="grow"
        label={text.description}
        hint={text.descriptionHint}
        errors={errorsOf('description')}
        renderControl={(control) => (
          <textarea
            {...control}
            className="input"
            rows={2}
            data-testid="description-input"
            value={draft.description}
            onChange={(event) => onChange('description', event.target.value)}
          />
        )}
      />
      <TextInput {...props} field="group" hint={text.groupHint} />
    </div>
  );
}

export function SurroundingsFields(props: FieldsProps) {
  const text = useMessages(editorMessages);
  const { draft, errorsOf, onChange } = props;
  return (
    <>
      <PairsField
        label={text.env}
        hint={text.envHint}
        pairs={draft.env}
        errors={errorsOf('env')}
        testId="env"
        onChange={(pairs) => onChange('env', pairs)}
      />
      <PairsField
        label={text.labels}
        hint={text.labelsHint}
        pairs={draft.labels}
        errors={errorsOf('labels')}
        testId="labels"
        onChange={(pairs) => onChange('labels', pairs)}
      />
      <div className="field-row">
        <TextInput {...props} field="workingDirectory" hint={text.workingDirectoryHint} mono />
        <TextInput {...props} field="shell" mono />
      </div>
    </>
  );
}
