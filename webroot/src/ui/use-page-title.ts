/** Names the room in the tab and in the browser's history. */
import { useEffect } from 'react';

export function usePageTitle(title: string): void {
  useEffect(() => {
    document.title = `${title} · cronmesh`;
    return () => {
      document.title = 'cronmesh';
    };
  }, [title]);
}
