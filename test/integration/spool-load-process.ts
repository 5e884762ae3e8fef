/**
 * A process for the memory test: its store is down; it spools many small records and prints its
 * memory before and after. Arguments: one JSON object. Needs --expose-gc.
 */
import { pino } from 'pino';
import { z } from 'zod';
import { systemClock } from '../../shared/clock.ts';
import { openSpool } from '../../worker/spool/spool.ts';
import { numbered, storeDown } from './spool-support.ts';

const { directory, records } = z
  .object({ directory: z.string(), records: z.number() })
  .parse(JSON.parse(process.argv[2] ?? ''));

const spool = openSpool({
  directory,
  store: { ingest: () => Promise.reject(storeDown) },
  clock: systemClock,
  random: Math.random,
  logger: pino({ level: 'silent' }),
});

/** What lives, not what the allocator keeps: the resident size says little in a short life. */
function liveBytes(): number {
  globalThis.gc?.();
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

async function fill(from: number, to: number): Promise<void> {
  for (let number = from; number < to; number += 1_000) {
    const group = Array.from({ length: 1_000 }, (_, index) => numbered(number + index));
    await Promise.all(group.map((record) => spool.append([record])));
  }
}

await spool.start();
const before = liveBytes();
await fill(0, records);
const { pendingRecords } = spool.state();
process.stdout.write(
  `figures ${String(before)} ${String(pendingRecords)} ${String(liveBytes())}\n`,
);
setInterval(() => undefined, 1_000);
