/** Which room stands at which address. Rooms beyond the first are fetched when they are entered. */
import { QueryClientProvider } from '@tanstack/react-query';
import { lazy, Suspense, useCallback, useEffect, useRef, useState } from 'react';
import { type AroundNavHandler, Route, Router, Switch, useLocation } from 'wouter';
import { basePath } from './api/cell.ts';
import { createQueryClient } from './api/queries.ts';
import { JobsPage } from './jobs/jobs-page.tsx';
import { connectionStore } from './live/connection.ts';
import { createLiveUpdates } from './live/live-updates.ts';
import { ErrorBoundary } from './shell/error-boundary.tsx';
import { HelpDialog } from './shell/help-dialog.tsx';
import { useGlobalKeys } from './shell/keys.ts';
import { passGuard } from './shell/navigation-guard.ts';
import { NotFound } from './shell/not-found.tsx';
import { Shell } from './shell/shell.tsx';
import { ConfirmDialog } from './ui/confirm-dialog.tsx';
import { SkeletonRows } from './ui/skeleton.tsx';
import { Toasts } from './ui/toasts.tsx';
import { TooltipHost } from './ui/tooltip.tsx';

const CalendarsPage = lazy(async () => ({
  default: (await import('./calendars/calendars-page.tsx')).CalendarsPage,
}));
const CalendarPage = lazy(async () => ({
  default: (await import('./calendars/calendar-page.tsx')).CalendarPage,
}));
const CalendarEditorPage = lazy(async () => ({
  default: (await import('./calendars/calendar-editor-page.tsx')).CalendarEditorPage,
}));
const EditorPage = lazy(async () => ({
  default: (await import('./editor/editor-page.tsx')).EditorPage,
}));
const JobPage = lazy(async () => ({ default: (await import('./job/job-page.tsx')).JobPage }));
const RunPage = lazy(async () => ({ default: (await import('./run/run-page.tsx')).RunPage }));
const RunsPage = lazy(async () => ({ default: (await import('./runs/runs-page.tsx')).RunsPage }));
const WorkersPage = lazy(async () => ({
  default: (await import('./workers/workers-page.tsx')).WorkersPage,
}));

// A stream may look open long after its other end is gone; a request that fails finds out.
const queryClient = createQueryClient(() => {
  if (connectionStore.get().state === 'live') liveUpdates.retryNow();
});
const liveUpdates = createLiveUpdates(queryClient);

const aroundNav: AroundNavHandler = (navigate, to, options) => {
  passGuard(() => {
    navigate(to, options);
    // A new room starts at its top; a changed filter stays where it is.
    if (options?.replace !== true) scrollTo(0, 0);
  });
};

export function App() {
  useEffect(() => {
    liveUpdates.start();
    return () => liveUpdates.stop();
  }, []);
  return (
    <QueryClientProvider client={queryClient}>
      <Router base={basePath()} aroundNav={aroundNav}>
        <Rooms />
      </Router>
      <ConfirmDialog />
      <Toasts />
      <TooltipHost />
    </QueryClientProvider>
  );
}

/** Counted inside the cell. The router half-decodes the path; names that were put by hand may hold anything, so it is read raw. */
function pathSegment(index: number): string {
  const segment = location.pathname.slice(basePath().length).split('/')[index] ?? '';
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

/** Whoever cannot see the new room is taken to it, unless the room itself has put the focus. */
function useFocusOnNewRoom(): void {
  const [path] = useLocation();
  const former = useRef(path);
  useEffect(() => {
    if (former.current === path) return;
    former.current = path;
    if (document.activeElement === document.body || document.activeElement === null) {
      document.getElementById('content')?.focus({ preventScroll: true });
    }
  }, [path]);
}

function Rooms() {
  const [helpShown, setHelpShown] = useState(false);
  const showHelp = useCallback(() => setHelpShown(true), []);
  const hideHelp = useCallback(() => setHelpShown(false), []);
  useGlobalKeys(showHelp);
  useFocusOnNewRoom();
  return (
    <>
      <Shell onHelp={showHelp} onReconnect={liveUpdates.retryNow}>
        <ErrorBoundary>
          <Suspense fallback={<SkeletonRows rows={6} />}>
            <Switch>
              <Route path="/" component={JobsPage} />
              <Route path="/jobs" component={JobsPage} />
              <Route path="/jobs/new">
                <EditorPage />
              </Route>
              <Route path="/jobs/:name/edit">
                {({ name }) => <EditorPage key={name} name={pathSegment(2)} />}
              </Route>
              <Route path="/jobs/:name">
                {({ name }) => <JobPage key={name} name={pathSegment(2)} />}
              </Route>
              <Route path="/runs" component={RunsPage} />
              <Route path="/runs/:id">{({ id }) => <RunPage key={id} id={pathSegment(2)} />}</Route>
              <Route path="/workers" component={WorkersPage} />
              <Route path="/calendars" component={CalendarsPage} />
              <Route path="/calendars/new">
                <CalendarEditorPage />
              </Route>
              <Route path="/calendars/:name/edit">
                {({ name }) => <CalendarEditorPage key={name} name={pathSegment(2)} />}
              </Route>
              <Route path="/calendars/:name">
                {({ name }) => <CalendarPage key={name} name={pathSegment(2)} />}
              </Route>
              <Route component={NotFound} />
            </Switch>
          </Suspense>
        </ErrorBoundary>
      </Shell>
      {helpShown && <HelpDialog onClose={hideHelp} />}
    </>
  );
}
