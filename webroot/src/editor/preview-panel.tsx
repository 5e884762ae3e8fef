/** The schedule in words and its next ten fires, answered by the engine that the workers use. */
import { type UseQueryResult } from '@tanstack/react-query';
import type { SchedulePreview } from '../api/shapes.ts';
import { formatClock, formatDay, localZone } from '../format/instant.ts';
import { useMessages } from '../i18n/language.ts';
import { Icon } from '../ui/icon.tsx';
import { Countdown } from '../ui/time.tsx';
import { editorMessages } from './messages.ts';

interface PreviewPanelProps {
  readonly typed: boolean;
  readonly zone: string;
  readonly preview: UseQueryResult<SchedulePreview>;
}

export function PreviewPanel({ typed, zone, preview }: PreviewPanelProps) {
  const text = useMessages(editorMessages);
  const { data, isError } = preview;
  const broken = isError && typed;
  return (
    <section className="preview panel" aria-live="polite" aria-busy={preview.isFetching}>
      <h2>{text.preview}</h2>
      {!typed && <p className="muted">{text.previewEmpty}</p>}
      {broken && <p className="muted">{text.previewBroken}</p>}
      {typed && !broken && data && <Fires preview={data} zone={zone} />}
    </section>
  );
}

function Fires({ preview, zone }: { readonly preview: SchedulePreview; readonly zone: string }) {
  const text = useMessages(editorMessages);
  const elsewhere = zone !== localZone;
  const hasNotes = preview.ticks.some((tick) => tick.note !== undefined);
  return (
    <>
      <p className="preview-words" data-testid="preview-words">
        {preview.scheduleText}
      </p>
      <p className="preview-canonical mono muted">{preview.canonical}</p>
      {preview.ticks.length === 0 ? (
        <p className="muted">{text.previewNone}</p>
      ) : (
        <table className="fires num" data-testid="preview-fires">
          <thead>
            <tr>
              <th scope="col">{text.inZone(zone)}</th>
              {elsewhere && <th scope="col">{text.here(localZone)}</th>}
              <th scope="col">
                <Icon name="clock" size={14} />
              </th>
            </tr>
          </thead>
          <tbody>
            {preview.ticks.map(({ tick, note }, index) => {
              const day = formatDay(tick, zone);
              const before = preview.ticks[index - 1];
              const sameDay = before !== undefined && formatDay(before.tick, zone) === day;
              return (
                <tr key={tick} className={note}>
                  <td>
                    <span className={sameDay ? 'day same' : 'day'}>{day}</span>{' '}
                    <b>{formatClock(tick, zone)}</b>
                    {note !== undefined && <span className="dst-mark"> ◆</span>}
                  </td>
                  {elsewhere && <td className="muted">{formatClock(tick)}</td>}
                  <td>
                    <Countdown at={tick} zone={zone} />
                  </td>
                </tr>
              );
            })}
          </tbody>
        </table>
      )}
      {hasNotes &&
        [...new Set(preview.ticks.flatMap(({ note }) => (note === undefined ? [] : [note])))].map(
          (note) => (
            <p className="dst-note" key={note}>
              <span className="dst-mark">◆</span> {text.dst[note]}
            </p>
          ),
        )}
      <p className="field-hint">{preview.kind === 'fixed' ? text.fixedKind : text.intervalKind}</p>
    </>
  );
}
