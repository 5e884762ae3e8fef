/**
 * A process of the long run: simulates the fleets that its parent names, one after the other, and
 * answers with what came of each. It ends with its parent.
 */
import { inspect } from 'node:util';
import { simulate } from './simulate.ts';
import type { FleetOrder, FleetReport } from './fleet-hours.ts';

process.on('message', (order: FleetOrder) => {
  void simulate(order).then(
    (result) => answer({ seed: order.seed, result }),
    (error: unknown) => answer({ seed: order.seed, failure: inspect(error) }),
  );
});

function answer(report: FleetReport): void {
  process.send?.(report);
}
