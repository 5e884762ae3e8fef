/** A process that prunes a job of a history store until it is killed or done. */
import { systemClock } from '../../shared/clock.ts';
import { openHistory } from '../../shared/history/open-history.ts';
import { createLogger } from '../../shared/log.ts';

const [url = '', job = '', before = '0'] = process.argv.slice(2);
const store = openHistory(url, { clock: systemClock, logger: createLogger('test', 'silent') });
const rule = { before: Number(before), maxRows: 1_000_000, keepLastFailure: false };
let step = await store.prune({ job, rule, limit: 20 });
let rows = step.rows;
for (;;) {
  process.stdout.write(`${rows}\n`);
  if (step.next === undefined) break;
  step = await store.prune({ job, rule, limit: 20, after: step.next });
  rows += step.rows;
}
await store.stop();
