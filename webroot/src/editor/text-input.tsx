/** One line of text bound to a field of the draft. */
import type { FieldError } from '../api/shapes.ts';
import { useMessages } from '../i18n/language.ts';
import type { Draft } from './draft.ts';
import { Field } from './field.tsx';
import { editorMessages } from './messages.ts';

/** What every group of the editor's fields is given. */
export interface FieldsProps {
  readonly draft: Draft;
  readonly errorsOf: (field: keyof Draft) => readonly FieldError[];
  readonly onChange: <K extends keyof Draft>(field: K, value: Draft[K]) => void;
}

type TextField =
  | 'timeout'
  | 'grace'
  | 'maxOutput'
  | 'historyAge'
  | 'historyRuns'
  | 'group'
  | 'workingDirectory'
  | 'shell'
  | 'maxConcurrent'
  | 'misfireLimit'
  | 'startDeadline'
  | 'retryMax'
  | 'retryBackoff'
  | 'retryMaxBackoff';

interface TextInputProps extends FieldsProps {
  readonly field: TextField;
  readonly hint?: string;
  readonly mono?: boolean;
}

export function TextInput({
  field,
  hint,
  mono = false,
  draft,
  errorsOf,
  onChange,
}: TextInputProps) {
  const text = useMessages(editorMessages);
  return (
    <Field
      label={text[field]}
      {...(hint === undefined ? {} : { hint })}
      errors={errorsOf(field)}
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
