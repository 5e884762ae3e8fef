/** What a person chose, kept in this browser; a browser that forbids storage just forgets it. */
export function readPreference(name: string): string | undefined {
  try {
    return localStorage.getItem(`cronmesh.${name}`) ?? undefined;
  } catch {
    return undefined;
  }
}

/** `undefined` forgets the choice. */
export function writePreference(name: string, value: string | undefined): void {
  try {
    if (value === undefined) localStorage.removeItem(`cronmesh.${name}`);
    else localStorage.setItem(`cronmesh.${name}`, value);
  } catch {
    // Forbidden or full: the choice lives until the tab is closed.
  }
}
