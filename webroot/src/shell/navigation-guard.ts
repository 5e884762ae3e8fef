/**
 * Lets a room ask before it is left with unsaved changes. Links and buttons pass here; the browser's
 * own back does not, so a room that has something to lose also keeps a draft.
 */
type Guard = () => Promise<boolean>;

let guard: Guard | undefined;

/** Returns the release. One guard at a time: only one room is shown. */
export function guardNavigation(ask: Guard): () => void {
  guard = ask;
  return () => {
    if (guard === ask) guard = undefined;
  };
}

/** For the router's `aroundNav`. */
export function passGuard(proceed: () => void): void {
  if (!guard) {
    proceed();
    return;
  }
  void guard().then((leave) => {
    if (leave) proceed();
  });
}
