/**
 * The last runs as bars, newest on the right: colour is the outcome, height the duration (root
 * scale, against the longest in the strip), hollow means that nothing ran. A bar opens its run. A list
 * shows hundreds of bars at once, so those of one look are one path; only the bar under the pointer
 * is a link.
 */
import { type MouseEvent, type PointerEvent, useState } from 'react';
import { useLocation } from 'wouter';
import { basePath } from '../api/cell.ts';
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
  const [pointed, setPointed] = useState<number | undefined>();
  const shown = held.value.slice(0, slots).toReversed();
  const longest = Math.max(1, ...shown.map((row) => durationOf(row) ?? 0));
  const empty = slots - shown.length;
  const pointedRow = pointed === undefined ? undefined : shown[pointed];

  const counts = new Map<ShownOutcome, number>();
  for (const row of shown) {
    const kind = row.outcome ?? 'running';
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  const parts = [...counts].map(([kind, count]) => `${count} ${common.outcome[kind]}`).join(', ');
  const label = shown.length === 0 ? text.none : text.last(shown.length, parts);

  function indexAt(event: MouseEvent<SVGSVGElement>): number | undefined {
    const { left } = event.currentTarget.getBoundingClientRect();
    const index = Math.floor((event.clientX - left) / pitch) - empty;
    return index >= 0 && index < shown.length ? index : undefined;
  }

  const point = (event: PointerEvent<SVGSVGElement>): void => setPointed(indexAt(event));

  /** A finger points and clicks at once: it meets no link. */
  function open(event: MouseEvent<SVGSVGElement>): void {
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
    const row = shown[indexAt(event) ?? -1];
    if (row === undefined) return;
    event.preventDefault();
    hideTooltip();
    navigate(pathOf(row));
  }

  return (
    // Its runs are reached by the keyboard through the job's page.
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-element-interactions, jsx-a11y/click-events-have-key-events
    <svg
      className="run-strip"
      width={slots * pitch}
      height={fullHeight + 2}
      role="img"
      aria-label={label}
      onPointerEnter={(event) => {
        held.handlers.onPointerEnter(event);
        point(event);
      }}
      onPointerMove={point}
      onClick={open}
      onPointerLeave={() => {
        held.handlers.onPointerLeave();
        setPointed(undefined);
        hideTooltip();
      }}
    >
      <rect className="hit" width={slots * pitch} height={fullHeight + 2} />
      {empty > 0 && <path className="no-run" d={placeholders(empty)} />}
      {[...pathsOf(shown, empty, longest)].map(([look, path]) => (
        <path key={look} className={`bar ${look}`} d={path} />
      ))}
      {pointed !== undefined && pointedRow !== undefined && (
        <PointedBar
          key={pointedRow.id}
          row={pointedRow}
          x={(empty + pointed) * pitch}
          longest={longest}
        />
      )}
    </svg>
  );
}

/** Drawn over its like, as a link. */
function PointedBar(bar: { readonly row: RowBrief; readonly x: number; readonly longest: number }) {
  const { row, x, longest } = bar;
  return (
    <a
      ref={(link) => {
        if (link !== null) showTooltip(link, <Explain row={row} />);
      }}
      href={basePath() + pathOf(row)}
      tabIndex={-1}
      aria-hidden="true"
    >
      <rect className="hit" x={x} y={0} width={pitch} height={fullHeight + 2} />
      <path className={`bar ${lookOf(row)}`} d={barPath(row, x, longest)} />
    </a>
  );
}

function pathOf({ id }: RowBrief): string {
  return `/runs/${encodeURIComponent(id)}`;
}

/** Class names of a bar. */
function lookOf({ kind, outcome }: RowBrief): string {
  return kind === 'not-run' ? `hollow ${outcome ?? ''}` : (outcome ?? 'running');
}

/** By look, the bars of that look as one path. */
function pathsOf(
  shown: readonly RowBrief[],
  empty: number,
  longest: number,
): ReadonlyMap<string, string> {
  const paths = new Map<string, string>();
  for (const [index, row] of shown.entries()) {
    const look = lookOf(row);
    const path = barPath(row, (empty + index) * pitch, longest);
    paths.set(look, `${paths.get(look) ?? ''}${path}`);
  }
  return paths;
}

function barPath(row: RowBrief, x: number, longest: number): string {
  if (row.kind === 'not-run') {
    const top = fullHeight + 0.5 - hollowHeight;
    const width = barWidth - 1;
    return `M${x + 0.5} ${top}h${width}v${hollowHeight}h${-width}Z`;
  }
  const height = Math.round(heightOf(row, longest) * 10) / 10;
  // Rounded at the corners by 1.
  return `M${x} ${fullHeight}v${2 - height}q0-1 1-1h${barWidth - 2}q1 0 1 1v${height - 2}q0 1-1 1h${2 - barWidth}q-1 0-1-1Z`;
}

function placeholders(count: number): string {
  return Array.from(
    { length: count },
    (_, index) => `M${index * pitch} ${fullHeight - 1}h${barWidth}v2h${-barWidth}Z`,
  ).join('');
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
