/**
 * The schedule in words and its next ten fires, answered by the engine that the workers use; between
 * them what calendars pass over.
 */
import { type UseQueryResult } from '@tanstack/react-query';
import type { SchedulePreview } from '../api/shapes.ts';
import type { PreviewTick } from '../../../shared/schedule/schedule.ts';
import { fireRows, type FireRow } from '../format/fire-rows.ts';
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

function Passed({
  row,
  zone,
  elsewhere,
}: {
  readonly row: Extract<FireRow<PreviewTick>, { kind: 'passed' }>;
  readonly zone: string;
  readonly elsewhere: boolean;
}) {
  const text = useMessages(editorMessages);
  return (
    <tr className="passed" title={row.reason} data-testid="passed-over">
      <td>
        <s>
          {formatDay(row.tick, zone)} {row.count === 1 && formatClock(row.tick, zone)}
        </s>
      </td>
      <td colSpan={elsewhere ? 2 : 1}>
        <b>{row.calendar}</b>
        {row.count > 1 && `: ${text.passed(row.count, row.more)}`}
      </td>
    </tr>
  );
}

function Fires({ preview, zone }: { readonly preview: SchedulePreview; readonly zone: string }) {
  const text = useMessages(editorMessages);
  const elsewhere = zone !== localZone;
  const hasNotes = preview.ticks.some((tick) => tick.note !== undefined);
  const rows = fireRows(preview.ticks, preview.excluded);
  return (
    <>
      <p className="preview-words" data-testid="preview-words">
        {preview.scheduleText}
      </p>
      <p className="preview-canonical mono muted">{preview.canonical}</p>
      {preview.ticks.length === 0 && <p className="muted">{text.previewNone}</p>}
      {rows.length > 0 && (
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
            {rows.map((row, index) => {
              if (row.kind === 'passed') {
                return <Passed key={row.tick} row={row} zone={zone} elsewhere={elsewhere} />;
              }
              const { tick, note } = row.fire;
              const day = formatDay(tick, zone);
              const before = rows[index - 1];
              const sameDay = before?.kind === 'fire' && formatDay(before.fire.tick, zone) === day;
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
