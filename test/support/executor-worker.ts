/**
 * A worker reduced to its executor, as a process of its own that a test can stop or kill. It takes
 * one JSON object a line on stdin: {"deadline": ms} or {"run": spec, "tag": name}; and says, one
 * JSON object a line: ready, started, output (bytes so far, and whether the offsets were right),
 * result. Its argument, if any, is the path of its file of open runs.
 */
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { systemClock } from '../../shared/clock.ts';
import { createLogger } from '../../shared/log.ts';
import { createExecutor } from '../../worker/executor/create-executor.ts';

const specSchema = z.object({
  runId: z.string(),
  job: z.string(),
  shell: z.string(),
  command: z.string(),
  workingDirectory: z.string(),
  environment: z.record(z.string(), z.string()),
  timeoutMs: z.number(),
  killGraceMs: z.number(),
  maxOutputBytes: z.number(),
  guarded: z.boolean(),
});
const orderSchema = z.union([
  z.object({ deadline: z.number() }),
  z.object({ run: specSchema, tag: z.string(), startBy: z.number() }),
]);

const openRunsPath = process.argv[2];
const executor = createExecutor({
  slots: 16,
  clock: systemClock,
  logger: createLogger('worker', 'silent'),
  random: Math.random,
  ...(openRunsPath === undefined ? {} : { openRunsPath }),
});

function say(event: Record<string, unknown>): void {
  process.stdout.write(`${JSON.stringify(event)}\n`);
}

await executor.start();
say({ event: 'ready' });

createInterface({ input: process.stdin }).on('line', (line) => {
  const order = orderSchema.parse(JSON.parse(line));
  if ('deadline' in order) {
    executor.setDeadline(order.deadline);
    return;
  }
  const { tag } = order;
  let bytes = 0;
  let inOrder = true;
  const handle = executor.run(
    order.run,
    {
      onStarted: (_at, pid) => say({ event: 'started', tag, pid }),
      onOutput: (piece) => {
        inOrder &&= piece.offset === bytes;
        bytes += piece.data.length;
      },
    },
    order.startBy,
  );
  void handle.result.then((result) => say({ event: 'result', tag, result, bytes, inOrder }));
});
