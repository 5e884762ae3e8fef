/** A labelled field with its hint, and beside it what is wrong: expected and got. */
import { type ReactNode, useId } from 'react';
import type { FieldError } from '../api/shapes.ts';
import { commonMessages } from '../i18n/common-messages.ts';
import { useMessages } from '../i18n/language.ts';
import { Icon } from '../ui/icon.tsx';

export interface ControlProps {
  readonly id: string;
  readonly 'aria-invalid': boolean;
  readonly 'aria-describedby': string | undefined;
}

interface FieldProps {
  readonly label: string;
  readonly hint?: string;
  readonly errors: readonly FieldError[];
  readonly errorTestId?: string;
  readonly renderControl: (props: ControlProps) => ReactNode;
  readonly className?: string;
}

export function Field({ label, hint, errors, errorTestId, renderControl, className }: FieldProps) {
  const id = useId();
  const hintId = `${id}-hint`;
  const errorId = `${id}-error`;
  const wrong = errors.length > 0;
  // What was expected says all that the hint would.
  const hinted = hint !== undefined && !wrong;
  const describedBy = wrong ? errorId : hinted ? hintId : undefined;
  return (
    <div className={className === undefined ? 'field' : `field ${className}`}>
      <label htmlFor={id}>{label}</label>
      {renderControl({
        id,
        'aria-invalid': wrong,
        'aria-describedby': describedBy,
      })}
      {wrong && <FieldErrors id={errorId} errors={errors} testId={errorTestId} />}
      {hinted && (
        <p className="field-hint" id={hintId}>
          {hint}
        </p>
      )}
    </div>
  );
}

export function FieldErrors({
  id,
  errors,
  testId,
}: {
  readonly id: string;
  readonly errors: readonly FieldError[];
  readonly testId?: string | undefined;
}) {
  const common = useMessages(commonMessages);
  return (
    <div className="field-error" id={id} role="alert" data-testid={testId}>
      {errors.map((error) => (
        <p key={`${error.pointer} ${error.message}`}>
          <Icon name="alert" size={14} />
          <span>
            {subjectOf(error.pointer)} {error.message}
            <small>
              {common.expected(error.expected)}
              {error.got !== '' && <> — {common.got(error.got)}</>}
            </small>
          </span>
        </p>
      ))}
    </div>
  );
}

/** `/env/FOO` is about FOO; a field of its own needs no name, its label stands above. */
function subjectOf(pointer: string): string {
  if (!pointer.startsWith('/') || /^\/(retries|history)\//.test(pointer)) return '';
  const segment = pointer.split('/').slice(2).join('/');
  return segment.replaceAll('~1', '/').replaceAll('~0', '~');
}
