/**
 * How long a job's newest runs took, oldest on the left: a dot a run (a ring where it did not succeed),
 * the median around it as a line, p50 and p95 as levels. A dot opens its run; by the keyboard they are
 * reached in the list below.
 */
import { type MouseEvent, type PointerEvent, useEffect, useState } from 'react';
import { useLocation } from 'wouter';
import { formatInstant } from '../format/instant.ts';
import { formatDuration } from '../format/span.ts';
import { commonMessages } from '../i18n/common-messages.ts';
import { useMessages } from '../i18n/language.ts';
import { OutcomeGlyph } from '../ui/outcome-glyph.tsx';
import { hideTooltip, showTooltip } from '../ui/tooltip.tsx';
import { heightOf, rollingMedians, type TimedRun } from './numbers.ts';
import { numbersMessages } from './numbers-messages.ts';

/** Of the picture, which is stretched to its place: dots and lines are not. */
const width = 1000;
const height = 100;

interface DurationTrendProps {
  /** Oldest first, two at least. */
  readonly runs: readonly TimedRun[];
  readonly p50Ms: number;
  readonly p95Ms: number;
}

export function DurationTrend({ runs, p50Ms, p95Ms }: DurationTrendProps) {
  const text = useMessages(numbersMessages);
  const [, navigate] = useLocation();
  const [pointed, setPointed] = useState<number | undefined>();
  useEffect(() => hideTooltip, []);
  const longest = Math.max(p95Ms, ...runs.map(({ tookMs }) => tookMs)) * 1.06;
  const x = (index: number): number => round(((index + 0.5) * width) / runs.length);
  const y = (tookMs: number): number => round(height * (1 - heightOf(tookMs, longest)));
  const dots = new Map<string, string>();
  for (const [index, { row, tookMs }] of runs.entries()) {
    const look = row.outcome ?? 'running';
    dots.set(look, `${dots.get(look) ?? ''}M${x(index)} ${y(tookMs)}h0`);
  }
  const medians = rollingMedians(runs.map(({ tookMs }) => tookMs));
  const line = medians
    .map((ms, index) => `${index === 0 ? 'M' : 'L'}${x(index)} ${y(ms)}`)
    .join('');
  const run = pointed === undefined ? undefined : runs[pointed];

  const indexAt = (event: MouseEvent<SVGSVGElement>): number => {
    const box = event.currentTarget.getBoundingClientRect();
    const index = Math.floor(((event.clientX - box.left) / box.width) * runs.length);
    return Math.min(runs.length - 1, Math.max(0, index));
  };
  const point = (event: PointerEvent<SVGSVGElement>): void => setPointed(indexAt(event));

  return (
    <div className="trend">
      {/* Its runs are reached by the keyboard through the list below. */}
      {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-element-interactions, jsx-a11y/click-events-have-key-events */}
      <svg
        viewBox={`0 0 ${width} ${height}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={text.trendLabel(runs.length, formatDuration(p50Ms), formatDuration(p95Ms))}
        data-testid="duration-trend"
        onPointerEnter={point}
        onPointerMove={point}
        onPointerLeave={() => {
          setPointed(undefined);
          hideTooltip();
        }}
        onClick={(event) => {
          const clicked = runs[indexAt(event)];
          if (clicked === undefined) return;
          hideTooltip();
          navigate(`/runs/${encodeURIComponent(clicked.row.id)}`);
        }}
      >
        <rect className="hit" width={width} height={height} />
        <path className="level" d={`M0 ${y(p50Ms)}H${width}M0 ${y(p95Ms)}H${width}`} />
        {[...dots].map(([look, path]) => (
          <g key={look} className={`dots ${look}`}>
            <path d={path} />
            {look !== 'succeeded' && <path className="hole" d={path} />}
          </g>
        ))}
        <path className="median" d={line} />
        {pointed !== undefined && run !== undefined && (
          <path
            key={run.row.id}
            className="pointed"
            d={`M${x(pointed)} ${y(run.tookMs)}h0`}
            ref={(mark) => {
              if (mark !== null) showTooltip(mark, <Explain run={run} />);
            }}
          />
        )}
      </svg>
      <span className="level-name num" style={{ top: `${y(p50Ms)}%` }}>
        p50
      </span>
      {/* Two names that would stand on each other are one too many. */}
      {y(p50Ms) - y(p95Ms) > 14 && (
        <span className="level-name num" style={{ top: `${y(p95Ms)}%` }}>
          p95
        </span>
      )}
    </div>
  );
}

function Explain({ run: { row, tookMs } }: { readonly run: TimedRun }) {
  const common = useMessages(commonMessages);
  const kind = row.outcome ?? 'running';
  return (
    <>
      <div className="line">
        <OutcomeGlyph kind={kind} size={14} />
        <b>{common.outcome[kind]}</b>
        <span className="num">{formatDuration(tookMs)}</span>
      </div>
      <div className="muted num">{formatInstant(row.tick)}</div>
    </>
  );
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
