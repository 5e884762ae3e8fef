/**
 * The last runs as bars, newest on the right: colour is the outcome, height the duration (root
 * scale, against the longest in the strip), hollow means that nothing ran. A bar opens its run.
 */
import { type MouseEvent } from 'react';
import { useLocation } from 'wouter';
import type { RowBrief } from '../api/shapes.ts';
import { formatInstant } from '../format/instant.ts';
import { formatDuration } from '../format/span.ts';
import { commonMessages, type ShownOutcome } from '../i18n/common-messages.ts';
import { type Messages, useMessages } from '../i18n/language.ts';
import { OutcomeGlyph } from './outcome-glyph.tsx';
import { hideTooltip, showTooltip } from './tooltip.tsx';
import { useHeldValue } from './use-held.ts';
import './run-strip.css';

const words: Messages<{ none: string; last: (count: number, parts: string) => string }> = {
  en: { none: 'No runs yet', last: (count, parts) => `Last ${count} runs: ${parts}` },
  zh: { none: '尚无运行', last: (count, parts) => `最近 ${count} 次运行：${parts}` },
};

const barWidth = 4;
const pitch = 5;
const fullHeight = 24;
const hollowHeight = 8;

export function RunStrip({
  rows,
  slots = 30,
}: {
  /** Newest first. */
  readonly rows: readonly RowBrief[];
  readonly slots?: number;
}) {
  const [, navigate] = useLocation();
  const common = useMessages(commonMessages);
  const text = useMessages(words);
  const held = useHeldValue(rows);
  const shown = held.value.slice(0, slots).toReversed();
  const longest = Math.max(1, ...shown.map((row) => durationOf(row) ?? 0));

  const counts = new Map<ShownOutcome, number>();
  for (const row of shown) {
    const kind = row.outcome ?? 'running';
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  const parts = [...counts].map(([kind, count]) => `${count} ${common.outcome[kind]}`).join(', ');
  const label = shown.length === 0 ? text.none : text.last(shown.length, parts);

  function open(event: MouseEvent, id: string): void {
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    hideTooltip();
    navigate(`/runs/${encodeURIComponent(id)}`);
  }

  return (
    <svg
      className="run-strip"
      width={slots * pitch}
      height={fullHeight + 2}
      role="img"
      aria-label={label}
      onPointerEnter={held.handlers.onPointerEnter}
      onPointerLeave={() => {
        held.handlers.onPointerLeave();
        hideTooltip();
      }}
    >
      {Array.from({ length: slots - shown.length }, (_, index) => (
        <rect
          className="no-run"
          key={index}
          x={index * pitch}
          y={fullHeight - 1}
          width={barWidth}
          height={2}
        />
      ))}
      {shown.map((row, index) => {
        const kind = row.outcome ?? 'running';
        const hollow = row.kind === 'not-run';
        const height = hollow ? hollowHeight : heightOf(row, longest);
        const x = (slots - shown.length + index) * pitch;
        return (
          <a
            key={row.id}
            href={`/runs/${encodeURIComponent(row.id)}`}
            tabIndex={-1}
            aria-hidden="true"
            onClick={(event) => open(event, row.id)}
            onPointerEnter={(event) => showTooltip(event.currentTarget, <Explain row={row} />)}
          >
            <rect className="hit" x={x} y={0} width={pitch} height={fullHeight + 2} />
            <rect
              className={hollow ? `bar hollow ${kind}` : `bar ${kind}`}
              x={hollow ? x + 0.5 : x}
              y={fullHeight + (hollow ? 0.5 : 1) - height}
              width={hollow ? barWidth - 1 : barWidth}
              height={height}
              rx={hollow ? 0 : 1}
            />
          </a>
        );
      })}
    </svg>
  );
}

function Explain({ row }: { readonly row: RowBrief }) {
  const common = useMessages(commonMessages);
  const kind = row.outcome ?? 'running';
  const durationMs = durationOf(row);
  return (
    <>
      <div className="line">
        <OutcomeGlyph kind={kind} size={14} />
        <b>{common.outcome[kind]}</b>
        {durationMs !== undefined && <span className="num">{formatDuration(durationMs)}</span>}
      </div>
      <div className="muted num">{formatInstant(row.tick)}</div>
      {row.reason !== undefined && <div>{row.reason}</div>}
    </>
  );
}

function durationOf(row: RowBrief): number | undefined {
  if (row.startedAt === undefined || row.endedAt === undefined) return undefined;
  return Math.max(0, row.endedAt - row.startedAt);
}

function heightOf(row: RowBrief, longest: number): number {
  const duration = durationOf(row);
  if (duration === undefined) return row.outcome === undefined ? fullHeight : fullHeight / 2;
  return 4 + (fullHeight - 4) * Math.sqrt(duration / longest);
}
