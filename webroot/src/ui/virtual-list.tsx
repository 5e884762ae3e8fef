/**
 * A long list in the page's own scroll: only what is on screen is in the document. Asks for more
 * when its end comes near. Rows may have any height; they are measured.
 */
import { useWindowVirtualizer } from '@tanstack/react-virtual';
import { type ReactNode, useEffect, useLayoutEffect, useRef, useState } from 'react';

interface VirtualListProps<T> {
  readonly items: readonly T[];
  readonly idOf: (item: T) => string;
  readonly estimatedHeight: number;
  readonly renderRow: (item: T) => ReactNode;
  readonly rowClass: (item: T) => string;
  readonly rowTestId?: (item: T) => string;
  readonly hasMore: boolean;
  readonly onEndNear: () => void;
}

const nearEnd = 10;

export function VirtualList<T>(props: VirtualListProps<T>) {
  const { items, idOf, estimatedHeight, hasMore, onEndNear } = props;
  const list = useRef<HTMLDivElement>(null);
  const [scrollMargin, setScrollMargin] = useState(0);
  useLayoutEffect(() => {
    const top = list.current?.getBoundingClientRect().top;
    if (top !== undefined) setScrollMargin(Math.round(top + scrollY));
  }, [items.length]);
  // oxlint-disable-next-line react/incompatible-library -- nothing here is memoized
  const virtualizer = useWindowVirtualizer({
    count: items.length,
    estimateSize: () => estimatedHeight,
    overscan: 10,
    scrollMargin,
    getItemKey: (index) => {
      const item = items[index];
      return item === undefined ? index : idOf(item);
    },
  });
  const shown = virtualizer.getVirtualItems();
  const lastShown = shown.at(-1)?.index ?? -1;
  const wantsMore = hasMore && lastShown >= items.length - nearEnd;
  useEffect(() => {
    if (wantsMore) onEndNear();
  }, [wantsMore, onEndNear]);
  return (
    <div
      ref={list}
      className="virtual-list"
      role="rowgroup"
      style={{ height: virtualizer.getTotalSize() }}
    >
      {shown.map(({ index, key, start }) => {
        const item = items[index];
        if (item === undefined) return null;
        return (
          <div
            key={key}
            ref={virtualizer.measureElement}
            data-index={index}
            role="row"
            aria-rowindex={index + 2}
            className={props.rowClass(item)}
            data-testid={props.rowTestId?.(item)}
            style={{ transform: `translateY(${start - scrollMargin}px)` }}
          >
            {props.renderRow(item)}
          </div>
        );
      })}
    </div>
  );
}
