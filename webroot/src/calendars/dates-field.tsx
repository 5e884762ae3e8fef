/** The dates as text, one to a line, with numbers beside them; what is wrong is said by line. */
import { useId, useRef } from 'react';
import { commonMessages } from '../i18n/common-messages.ts';
import { useMessages } from '../i18n/language.ts';
import { Icon } from '../ui/icon.tsx';
import { type LineProblem, withLines } from './date-lines.ts';
import { calendarsMessages } from './messages.ts';

const fewestRows = 10;
const mostRows = 22;
const mostProblems = 4;

const picks = {
  weekend: ['sat', 'sun'],
  workdays: ['mon', 'tue', 'wed', 'thu', 'fri'],
  newYear: ['01-01'],
  christmas: ['12-24..12-26'],
} as const;
type Pick = keyof typeof picks;
const pickNames = ['weekend', 'workdays', 'newYear', 'christmas'] as const satisfies Pick[];

interface DatesFieldProps {
  readonly value: string;
  readonly count: number;
  readonly problems: readonly LineProblem[];
  readonly onChange: (value: string) => void;
}

export function DatesField({ value, count, problems, onChange }: DatesFieldProps) {
  const text = useMessages(calendarsMessages);
  const id = useId();
  const area = useRef<HTMLTextAreaElement>(null);
  const gutter = useRef<HTMLDivElement>(null);
  const lineCount = value.split('\n').length;
  const wrong = new Set(problems.map(({ line }) => line));
  return (
    <div className="field dates-field">
      <label htmlFor={id}>
        {text.datesLabel} <small className="muted num">{text.counted(count)}</small>
      </label>
      <div className="quick-picks" role="group" aria-label={text.picks}>
        {pickNames.map((pick) => (
          <button
            type="button"
            className="button small"
            key={pick}
            title={picks[pick].join(' ')}
            onClick={() => onChange(withLines(value, picks[pick]))}
          >
            <Icon name="plus" size={12} />
            {text.pickWords[pick]}
          </button>
        ))}
      </div>
      <div className="dates-box" aria-invalid={wrong.size > 0}>
        <div className="dates-gutter num" ref={gutter} aria-hidden="true">
          {Array.from({ length: lineCount }, (_, index) => index + 1).map((line) => (
            <span key={line} className={wrong.has(line) ? 'wrong' : undefined}>
              {line}
            </span>
          ))}
        </div>
        <textarea
          id={id}
          ref={area}
          className="mono"
          data-testid="dates-input"
          rows={Math.min(mostRows, Math.max(fewestRows, lineCount + 1))}
          wrap="off"
          spellCheck={false}
          autoCapitalize="off"
          autoComplete="off"
          aria-invalid={wrong.size > 0}
          aria-describedby={`${id}-said`}
          placeholder={'12-25\n2026-05-14\n12-24..01-02\nsat'}
          value={value}
          onChange={(event) => onChange(event.target.value)}
          onScroll={(event) => {
            if (gutter.current) gutter.current.scrollTop = event.currentTarget.scrollTop;
          }}
        />
      </div>
      <div id={`${id}-said`}>
        {problems.length === 0 ? (
          <p className="field-hint">{text.datesHint}</p>
        ) : (
          <Problems problems={problems} onPick={(line) => selectLine(area.current, line)} />
        )}
      </div>
    </div>
  );
}

function Problems({
  problems,
  onPick,
}: {
  readonly problems: readonly LineProblem[];
  readonly onPick: (line: number) => void;
}) {
  const text = useMessages(calendarsMessages);
  const common = useMessages(commonMessages);
  const hidden = problems.length - mostProblems;
  return (
    <div className="field-error" role="alert" data-testid="dates-error">
      {problems.slice(0, mostProblems).map(({ line, message, expected, got }) => (
        <p key={line}>
          <Icon name="alert" size={14} />
          <span>
            <button type="button" className="line-button num" onClick={() => onPick(line)}>
              {text.line(line)}
            </button>{' '}
            {message}
            <small>
              {common.expected(expected)} — {common.got(got)}
            </small>
          </span>
        </p>
      ))}
      {hidden > 0 && <p className="muted">{text.moreProblems(hidden)}</p>}
    </div>
  );
}

function selectLine(area: HTMLTextAreaElement | null, line: number): void {
  if (!area) return;
  const lines = area.value.split('\n');
  const start = lines.slice(0, line - 1).reduce((sum, each) => sum + each.length + 1, 0);
  area.focus();
  area.setSelectionRange(start, start + (lines[line - 1]?.length ?? 0));
}
