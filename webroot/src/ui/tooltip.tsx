/** One tooltip for the page, shown where the pointer or the focus is; it never takes the pointer. */
import { type ReactNode, useLayoutEffect, useRef } from 'react';
import { createStore, useStore } from '../external-store.ts';
import './tooltip.css';

interface Shown {
  readonly content: ReactNode;
  /** Viewport coordinates of the top middle of what is explained. */
  readonly x: number;
  readonly y: number;
  readonly bottom: number;
}

const tooltipStore = createStore<Shown | undefined>(undefined);

export function showTooltip(anchor: Element, content: ReactNode): void {
  const box = anchor.getBoundingClientRect();
  tooltipStore.set({ content, x: box.left + box.width / 2, y: box.top, bottom: box.bottom });
}

export function hideTooltip(): void {
  tooltipStore.set(undefined);
}

export function TooltipHost() {
  const shown = useStore(tooltipStore);
  const ref = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const card = ref.current;
    if (!card || !shown) return;
    const { width, height } = card.getBoundingClientRect();
    const left = Math.min(Math.max(8, shown.x - width / 2), innerWidth - width - 8);
    const above = shown.y - height - 8;
    card.style.left = `${left}px`;
    card.style.top = `${above > 8 ? above : shown.bottom + 8}px`;
  }, [shown]);
  if (!shown) return null;
  return (
    <div className="tooltip" role="tooltip" ref={ref}>
      {shown.content}
    </div>
  );
}
