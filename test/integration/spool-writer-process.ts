/**
 * A process for the crash tests: appends numbered records as fast as it can, holds and releases
 * entries, and reports each promise that resolved as a line on stdout. What its store takes goes to
 * a file, so that it outlives a SIGKILL. Arguments: one JSON object.
 */
import { appendFileSync } from 'node:fs';
import { pino } from 'pino';
import { z } from 'zod';
import { systemClock } from '../../shared/clock.ts';
import type { HistoryRecord } from '../../shared/history/records.ts';
import { openSpool } from '../../worker/spool/spool.ts';
import { keyOf, numbered, storeDown } from './spool-support.ts';

const parameters = z.object({
  directory: z.string(),
  takenFile: z.string(),
  firstNumber: z.number(),
  store: z.enum(['up', 'down', 'flaky']),
  /** Only opens the spool, says so and waits. */
  idle: z.boolean().default(false),
});
const { directory, takenFile, firstNumber, store, idle } = parameters.parse(
  JSON.parse(process.argv[2] ?? ''),
);

const spool = openSpool({
  directory,
  store: {
    ingest(records: readonly HistoryRecord[]): Promise<void> {
      const fails = store === 'down' || (store === 'flaky' && Math.random() < 0.5);
      if (fails) return Promise.reject(storeDown);
      appendFileSync(takenFile, records.map((record) => `${keyOf(record)}\n`).join(''));
      return Promise.resolve();
    },
  },
  clock: systemClock,
  random: Math.random,
  logger: pino({ level: 'warn' }, pino.destination({ fd: 2, sync: true })),
  // Small segments, so that a short life rolls, removes and forwards many.
  maxBytes: 1024 * 1024,
  batchDelayMs: 5,
  batchRecords: 50,
});

function report(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function holdAndRelease(number: number): Promise<void> {
  const id = `held-${String(number)}`;
  await spool.hold({ id, records: [numbered(number)], completion: { number } });
  report(`held ${String(number)}`);
  if (number % 3 === 0) return;
  report(`releasing ${String(number)}`);
  await spool.release(id);
  report(`released ${String(number)}`);
}

try {
  await spool.start();
} catch (error) {
  report(`refused ${error instanceof Error ? error.message : String(error)}`);
  throw error;
}
report('open');
if (idle) {
  setInterval(() => undefined, 1_000);
} else {
  for (let number = firstNumber; ; number += 1) {
    // Not awaited one by one: many wait for the same commit, as in a busy worker.
    const done = spool.append([numbered(number)]).then(() => report(`appended ${String(number)}`));
    if (number % 40 === 0) void holdAndRelease(1_000_000_000 + number);
    if (number % 7 === 0) await done;
  }
}
