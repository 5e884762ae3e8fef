/** The list as it is filtered, as a file. The browser writes it to disk while the master reads history. */
import { apiUrl } from '../api/cell.ts';
import { queryString } from '../api/client.ts';
import { type RunFilter, runFilterEntries } from '../api/filters.ts';
import { historyMessages } from '../history/messages.ts';
import { useMessages } from '../i18n/language.ts';
import { Icon } from '../ui/icon.tsx';

const formats = [
  { format: 'csv', name: 'CSV' },
  { format: 'jsonl', name: 'JSON lines' },
] as const;

export function ExportLinks({ filter }: { readonly filter: RunFilter }) {
  const text = useMessages(historyMessages);
  return (
    <div className="export-links">
      {formats.map(({ format, name }) => (
        <a
          key={format}
          className="button"
          href={`${apiUrl()}/runs${queryString([...runFilterEntries(filter), ['format', format]])}`}
          download
          title={text.exportTitle(name)}
          aria-label={text.exportTitle(name)}
          data-testid={`export-${format}`}
        >
          <Icon name="download" size={14} />
          {name}
        </a>
      ))}
    </div>
  );
}
