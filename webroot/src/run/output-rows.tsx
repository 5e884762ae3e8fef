/** Only the rows of output that are in sight are in the document. */
import { useVirtualizer } from '@tanstack/react-virtual';
import { type RefObject, useLayoutEffect } from 'react';
import { formatInstant } from '../format/instant.ts';
import type { Match, OutputSearch } from './output-search.ts';
import type { Line, Segment } from './terminal-text.ts';

const rowHeight = 20;

interface OutputRowsProps {
  readonly scroller: RefObject<HTMLDivElement | null>;
  readonly lines: readonly Line[];
  /** Index of the first line kept. */
  readonly dropped: number;
  readonly wrap: boolean;
  readonly follow: boolean;
  readonly search: OutputSearch | undefined;
  readonly current: Match | undefined;
  readonly stderrLabel: string;
}

export function OutputRows(props: OutputRowsProps) {
  const { scroller, lines, dropped, wrap, follow, search, current, stderrLabel } = props;
  // oxlint-disable-next-line react/incompatible-library -- nothing here is memoized
  const virtualizer = useVirtualizer({
    count: lines.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => rowHeight,
    overscan: 24,
    getItemKey: (index) => dropped + index,
  });
  const totalSize = virtualizer.getTotalSize();

  useLayoutEffect(() => {
    if (follow && scroller.current) scroller.current.scrollTop = totalSize + rowHeight;
  }, [follow, totalSize, scroller]);

  useLayoutEffect(() => {
    virtualizer.measure();
  }, [wrap, virtualizer]);

  const wanted = current === undefined ? undefined : current.line - dropped;
  useLayoutEffect(() => {
    if (wanted !== undefined && wanted >= 0) {
      virtualizer.scrollToIndex(wanted, { align: 'center' });
    }
  }, [wanted, virtualizer]);

  const digits = String(dropped + lines.length).length;
  return (
    <div
      className={wrap ? 'rows wrap' : 'rows'}
      style={{ height: totalSize, ['--digits' as string]: digits }}
    >
      {virtualizer.getVirtualItems().map(({ index, key, start }) => {
        const line = lines[index];
        if (!line) return null;
        const stderr = line.segments.some((segment) => segment.stderr);
        return (
          <div
            key={key}
            ref={wrap ? virtualizer.measureElement : undefined}
            data-index={index}
            className={stderr ? 'row stderr' : 'row'}
            style={{ transform: `translateY(${start}px)` }}
          >
            <span className="gutter" title={formatInstant(line.at)}>
              {line.continued ? '↪' : line.index + 1}
              {stderr && <span className="sr-only">{stderrLabel}</span>}
            </span>
            <span className="code">
              <Segments
                segments={line.segments}
                matches={search?.ofLine(line.index) ?? []}
                current={current}
              />
            </span>
          </div>
        );
      })}
    </div>
  );
}

interface SegmentsProps {
  readonly segments: readonly Segment[];
  readonly matches: readonly Match[];
  readonly current: Match | undefined;
}

/** Text only, in spans: whatever the run wrote, nothing of it is ever markup. */
function Segments({ segments, matches, current }: SegmentsProps) {
  let column = 0;
  return segments.map((segment) => {
    const start = column;
    column += segment.text.length;
    const { style } = segment;
    const content =
      matches.length === 0 ? segment.text : marked(segment.text, start, matches, current);
    if (!style) return <span key={start}>{content}</span>;
    const own: Record<string, string> = {};
    if (style.color !== undefined) own['--own-color'] = style.color;
    if (style.background !== undefined) own['--own-background'] = style.background;
    return (
      <span key={start} className={style.className} style={own}>
        {content}
      </span>
    );
  });
}

function marked(
  text: string,
  start: number,
  matches: readonly Match[],
  current: Match | undefined,
) {
  const parts = [];
  let at = 0;
  for (const match of matches) {
    const from = Math.max(at, match.start - start);
    const to = Math.min(text.length, match.end - start);
    if (to <= from) continue;
    parts.push(text.slice(at, from));
    parts.push(
      <mark key={from} className={match === current ? 'current' : undefined}>
        {text.slice(from, to)}
      </mark>,
    );
    at = to;
  }
  parts.push(text.slice(at));
  return parts;
}
