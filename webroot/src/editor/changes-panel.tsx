/** Field by field, what stands in the store against what is about to replace it. */
import { useMessages } from '../i18n/language.ts';
import type { FieldChange } from './job-diff.ts';
import { editorMessages } from './messages.ts';

export function ChangesTable({ changes }: { readonly changes: readonly FieldChange[] }) {
  const text = useMessages(editorMessages);
  return (
    <dl className="changes">
      {changes.map((change) => (
        <div key={change.field}>
          <dt className="mono">{change.field.replace(/^\//, '')}</dt>
          <dd>
            <del>{show(change.before, text.nothing)}</del>
            <ins>{show(change.after, text.nothing)}</ins>
          </dd>
        </div>
      ))}
    </dl>
  );
}

const longest = 400;

function show(value: unknown, nothing: string): string {
  if (value === undefined || value === null || value === '') return nothing;
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.length > longest ? `${text.slice(0, longest)}…` : text;
}
