/** The jobs list as it was last looked at, so that the way back leads to the same filter. */
import { createStore, useStore } from '../external-store.ts';

export const lastJobsPath = createStore('/');

export function useLastJobsPath(): string {
  return useStore(lastJobsPath);
}
