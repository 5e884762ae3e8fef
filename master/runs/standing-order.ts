/**
 * The order to kill that stands against an open run, whoever gave it and however (the API, a job
 * that replaces its runs, etcdctl). It is gone with the run; one that is gone while the run is still
 * open was never carried out.
 */
import type { Held, JobParts, MeshView } from '../../shared/mesh/view.ts';
import { standsAgainst } from '../../shared/protocol/kill.ts';
import type { FireValue } from '../../shared/protocol/values.ts';
import type { Shape, standingOrderShape } from '../api/shapes.ts';

/** The part of an answer that tells of the order; empty when none stands. */
export function orderPart(
  view: MeshView,
  job: string,
  fire: Held<FireValue>,
): { readonly order?: Shape<typeof standingOrderShape> } {
  const order = orderAgainst(view.part(job), fire);
  if (order === undefined) return {};
  const { by, at, graceSeconds } = order.value;
  return {
    order: {
      orderId: String(order.orderRevision),
      ...(by === undefined ? {} : { by }),
      ...(at === undefined ? {} : { at }),
      ...(graceSeconds === undefined ? {} : { graceSeconds }),
      workerAlive: view.snapshot.sessions.has(fire.value.session),
    },
  };
}

/** Of two, the one that names the run. */
function orderAgainst(parts: JobParts | undefined, { value, createRevision }: Held<FireValue>) {
  return [parts?.orders.get(value.runId), parts?.orders.get('')].find(
    (order) => order !== undefined && standsAgainst(order.orderRevision, createRevision),
  );
}
