/**
 * One mesh as a master serves it: the live view of its prefix, its history, its editors, feeds and
 * routes. A master has one of these, or one for each of its cells; they share the connection to etcd,
 * the fleet's time and the bound on live streams, and nothing else.
 */
import type { Random } from '../../shared/clock.ts';
import type { Etcd } from '../../shared/etcd/port.ts';
import { openHistory } from '../../shared/history/open-history.ts';
import type { Component } from '../../shared/lifecycle.ts';
import type { Logger } from '../../shared/log.ts';
import { createKeys } from '../../shared/protocol/keys.ts';
import { calendarsRoutes } from '../api/calendars-routes.ts';
import type { CellHealth } from '../api/health-parts.ts';
import { jobsRoutes } from '../api/jobs-routes.ts';
import { meshRoutes } from '../api/mesh-routes.ts';
import { orderAnswerRoutes } from '../api/order-answer-routes.ts';
import { ordersRoutes } from '../api/orders-routes.ts';
import { outputRoutes } from '../api/output-routes.ts';
import { outputSearchRoutes } from '../api/output-search-routes.ts';
import { ranBetweenRoutes } from '../api/ran-between-routes.ts';
import { runsRoutes } from '../api/runs-routes.ts';
import { statsRoutes } from '../api/stats-routes.ts';
import { CalendarEditor } from '../calendars/calendar-editor.ts';
import { CalendarUses } from '../calendars/calendar-uses.ts';
import type { EventStreams } from '../http/event-stream.ts';
import type { Route } from '../http/route.ts';
import { HeldUpJobs } from '../jobs/held-up-jobs.ts';
import { JobEditor } from '../jobs/job-editor.ts';
import { JobIndex } from '../jobs/job-index.ts';
import { JobQueries } from '../jobs/job-query.ts';
import { JobSearch } from '../jobs/job-search.ts';
import { NextTicks } from '../jobs/next-ticks.ts';
import { RunRequests } from '../jobs/run-requests.ts';
import { ChangeHub } from '../live/change-hub.ts';
import type { FleetTime } from '../live/fleet-time.ts';
import { MeshLink } from '../live/mesh-link.ts';
import { writeUnderCluster } from '../live/restore-sight.ts';
import { StoreHealth } from '../live/store-health.ts';
import { Pruner } from '../retention/pruner.ts';
import { RetentionEditor } from '../retention/retention-editor.ts';
import { retentionRoutes } from '../retention/retention-routes.ts';
import { StorageBook } from '../retention/storage-book.ts';
import { LastRuns } from '../runs/last-runs.ts';
import { OpenFires } from '../runs/open-fires.ts';
import { OutputFeeds } from '../runs/output-feed.ts';
import { WatchMarks } from '../runs/watch-marks.ts';
import type { MeshPlace } from './cell-settings.ts';

export interface CellDeps {
  readonly client: Etcd;
  readonly streams: EventStreams;
  readonly clock: FleetTime;
  readonly random: Random;
  readonly logger: Logger;
}

export interface Cell {
  readonly place: MeshPlace;
  /** At the paths that they have inside the cell. */
  readonly routes: readonly Route[];
  readonly health: CellHealth;
  /** With a name for the log, in the order in which to start them. */
  readonly components: readonly (readonly [name: string, component: Component])[];
  /** Lets go of the view. Before the components are stopped. */
  release(): void;
}

/** Throws `config-invalid` for a history URL that is of no use. */
export function createCell(place: MeshPlace, deps: CellDeps): Cell {
  const { client, streams, clock, random } = deps;
  const { name } = place;
  const logger = name === undefined ? deps.logger : deps.logger.child({ cell: name });
  const store = openHistory(place.history, { logger, clock });
  const keys = createKeys(place.prefix);
  const link = new MeshLink(client, keys, clock);
  const etcd = writeUnderCluster(client, keys, link);
  const index = new JobIndex(link.view);
  const search = new JobSearch(index);
  const openFires = new OpenFires(link.view);
  const nextTicks = new NextTicks(link.view);
  const calendarUses = new CalendarUses(link.view);
  const heldUp = new HeldUpJobs(link.view, calendarUses, clock);
  const editor = new JobEditor(etcd, keys, clock);
  const hub = new ChangeHub(link, clock);
  const marks = new WatchMarks(client, keys, clock, logger);
  const feeds = new OutputFeeds({ store, openFires, marks, clock, logger });
  const storeHealth = new StoreHealth(store, clock);
  const storage = new StorageBook(store, clock);
  const pruner = new Pruner({
    etcd: client,
    keys,
    link,
    store,
    clock,
    random,
    logger,
    onRound: (rows) => storage.noteRound(rows),
  });
  const lastRuns = new LastRuns({ view: link.view, store, storeHealth, clock });
  const parts = {
    etcd,
    link,
    index,
    openFires,
    nextTicks,
    editor,
    store,
    streams,
    hub,
    feeds,
    clock,
    storeHealth,
    lastRuns,
    queries: new JobQueries({ index, search, nextTicks, heldUp }),
    calendarUses,
    heldUp,
    calendarEditor: new CalendarEditor(etcd, keys, link, calendarUses),
  };
  const requests = new RunRequests(etcd, keys, editor, clock, random);
  const suffix = name === undefined ? '' : ` of ${name}`;
  return {
    place,
    routes: [
      ...jobsRoutes(parts),
      ...calendarsRoutes(parts),
      ...ordersRoutes({ link, openFires, store, requests }),
      ...orderAnswerRoutes({ link, openFires, store }),
      ...runsRoutes(parts),
      ...outputRoutes(parts),
      ...outputSearchRoutes(parts),
      ...statsRoutes(parts),
      ...ranBetweenRoutes(parts),
      ...meshRoutes(parts),
      ...retentionRoutes({ link, storage, editor: new RetentionEditor(etcd, keys) }),
    ],
    health: {
      ...(name === undefined ? {} : { name }),
      link,
      index,
      openFires,
      storeHealth,
      storage,
    },
    components: [
      [`history${suffix}`, store],
      [`view${suffix}`, link],
      [`feeds${suffix}`, feeds],
      [`hub${suffix}`, hub],
      [`pruner${suffix}`, pruner],
    ],
    release: () => {
      lastRuns.stop();
      search.stop();
      index.stop();
      openFires.stop();
    },
  };
}
