/** Names and values in rows; pasted NAME=value lines become rows of their own. */
import { useId } from 'react';
import type { FieldError } from '../api/shapes.ts';
import { useMessages } from '../i18n/language.ts';
import { Icon } from '../ui/icon.tsx';
import { createPair, type Pair, pairsOfLines } from './pairs.ts';
import { FieldErrors } from './field.tsx';
import { editorMessages } from './messages.ts';

interface PairsFieldProps {
  readonly label: string;
  readonly hint: string;
  readonly pairs: readonly Pair[];
  readonly errors: readonly FieldError[];
  readonly testId: string;
  readonly onChange: (pairs: readonly Pair[]) => void;
}

export function PairsField({ label, hint, pairs, errors, testId, onChange }: PairsFieldProps) {
  const text = useMessages(editorMessages);
  const id = useId();
  const wrong = new Set(errors.map(({ pointer }) => pointer.split('/').slice(2).join('/')));

  function change(pairId: number, part: Partial<Pair>): void {
    onChange(pairs.map((pair) => (pair.id === pairId ? { ...pair, ...part } : pair)));
  }

  return (
    <fieldset className="field pairs" aria-describedby={`${id}-hint`} data-testid={testId}>
      <legend>{label}</legend>
      {pairs.map((pair) => (
        <div className="pair" key={pair.id}>
          <input
            className="input mono"
            aria-label={text.key}
            placeholder={text.key}
            spellCheck={false}
            autoCapitalize="off"
            value={pair.key}
            aria-invalid={wrong.has(pair.key.trim())}
            onChange={(event) => change(pair.id, { key: event.target.value })}
            onPaste={(event) => {
              const pasted = pairsOfLines(event.clipboardData.getData('text'));
              if (pasted.length === 0) return;
              event.preventDefault();
              onChange(
                pairs.flatMap((other) => {
                  if (other.id !== pair.id) return [other];
                  return other.key === '' && other.value === '' ? pasted : [other, ...pasted];
                }),
              );
            }}
          />
          <input
            className="input mono"
            aria-label={text.value}
            placeholder={text.value}
            spellCheck={false}
            value={pair.value}
            onChange={(event) => change(pair.id, { value: event.target.value })}
          />
          <button
            type="button"
            className="button square quiet"
            aria-label={text.removePair(pair.key)}
            onClick={() => onChange(pairs.filter((other) => other.id !== pair.id))}
          >
            <Icon name="close" size={14} />
          </button>
        </div>
      ))}
      {errors.length > 0 && <FieldErrors id={`${id}-error`} errors={errors} />}
      <div className="pairs-foot">
        <button
          type="button"
          className="button small"
          onClick={() => onChange([...pairs, createPair('', '')])}
        >
          <Icon name="plus" size={12} />
          {text.addPair}
        </button>
        <p className="field-hint" id={`${id}-hint`}>
          {hint}
        </p>
      </div>
    </fieldset>
  );
}
