/** Looks for text in the output: Enter goes to the next match, with Shift to the one before. */
import { useMessages } from '../i18n/language.ts';
import { Icon } from '../ui/icon.tsx';
import { runMessages } from './messages.ts';
import type { SearchState } from './use-output-search.ts';

export function OutputSearchField({
  search,
  onQuery,
  onStep,
}: {
  readonly search: SearchState;
  readonly onQuery: (query: string) => void;
  readonly onStep: (by: 1 | -1) => void;
}) {
  const text = useMessages(runMessages);
  const { query, count } = search;
  return (
    <div className="output-search">
      <Icon name="search" size={14} />
      <input
        type="search"
        className="input"
        data-search
        data-testid="output-search"
        aria-label={text.search}
        placeholder={text.search}
        spellCheck={false}
        autoComplete="off"
        value={query}
        onChange={(event) => onQuery(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === 'Enter') {
            event.preventDefault();
            onStep(event.shiftKey ? -1 : 1);
          } else if (event.key === 'Escape') {
            onQuery('');
            event.currentTarget.blur();
          }
        }}
      />
      {query !== '' && (
        <span className="match-count num" role="status" data-testid="match-count">
          {count === 0 ? text.noMatches : text.matches(search.at + 1, count, search.more)}
        </span>
      )}
      {count > 0 && (
        <>
          <button
            type="button"
            className="button small square quiet"
            aria-label={text.previous}
            onClick={() => onStep(-1)}
          >
            <Icon name="up" size={14} />
          </button>
          <button
            type="button"
            className="button small square quiet"
            aria-label={text.next}
            onClick={() => onStep(1)}
          >
            <Icon name="down" size={14} />
          </button>
        </>
      )}
    </div>
  );
}
