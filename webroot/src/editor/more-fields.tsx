/** Limits of a run and of its history, words about the job, and what surrounds its runs. */
import { useMessages } from '../i18n/language.ts';
import { Field } from './field.tsx';
import { editorMessages } from './messages.ts';
import { PairsField } from './pairs-field.tsx';
import { type FieldsProps, TextInput } from './text-input.tsx';

export function LimitFields(props: FieldsProps) {
  const text = useMessages(editorMessages);
  return (
    <div className="field-row thirds">
      <TextInput {...props} field="timeout" hint={text.timeoutHint} />
      <TextInput {...props} field="grace" hint={text.graceHint} />
      <TextInput {...props} field="maxOutput" hint={text.maxOutputHint} />
    </div>
  );
}

export function HistoryFields(props: FieldsProps) {
  const text = useMessages(editorMessages);
  const { draft, errorsOf, onChange } = props;
  return (
    <div className="field-row thirds">
      <TextInput {...props} field="historyAge" hint={text.historyAgeHint} />
      <TextInput {...props} field="historyRuns" hint={text.historyRunsHint} />
      <Field
        label={text.keepFailure}
        hint={text.keepFailureHint}
        errors={errorsOf('keepFailure')}
        renderControl={(control) => (
          <select
            {...control}
            className="input"
            data-testid="keepFailure-input"
            value={draft.keepFailure}
            onChange={({ target }) => {
              const chosen = keepChoices.find((choice) => choice === target.value);
              onChange('keepFailure', chosen ?? '');
            }}
          >
            {keepChoices.map((choice) => (
              <option key={choice} value={choice}>
                {text.keep[choice]}
              </option>
            ))}
          </select>
        )}
      />
    </div>
  );
}

const keepChoices = ['', 'yes', 'no'] as const;

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
