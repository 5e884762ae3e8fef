/** Names the room, and the cell where there are some, in the tab and in the browser's history. */
import { useEffect } from 'react';
import { currentCell } from '../api/cell.ts';

export function usePageTitle(title: string): void {
  useEffect(() => {
    const cell = currentCell();
    const product = cell === undefined ? 'cronmesh' : `${cell} · cronmesh`;
    document.title = `${title} · ${product}`;
    return () => {
      document.title = product;
    };
  }, [title]);
}
