/**
 * The worker's one optional port: `/livez` and `/metrics` (Prometheus text). Off unless configured.
 */
import { createServer, type Server } from 'node:http';
import { monitorEventLoopDelay, type IntervalHistogram } from 'node:perf_hooks';
import type { ListenAddress } from '../shared/config/common.ts';
import { formatListen } from '../shared/config/common.ts';
import { CronmeshError } from '../shared/errors.ts';
import type { Component } from '../shared/lifecycle.ts';
import type { WorkerValue } from '../shared/protocol/values.ts';

/** A native timer of so long; what it is late is the loop's delay. */
const loopResolutionMs = 10;

export class MetricsServer implements Component {
  readonly #address: ListenAddress;
  readonly #server: Server;
  readonly #loopDelay = monitorEventLoopDelay({ resolution: loopResolutionMs });

  constructor(address: ListenAddress, registration: () => WorkerValue) {
    this.#address = address;
    this.#server = createServer((request, response) => {
      if (request.url === '/metrics') {
        response.setHeader('Content-Type', 'text/plain; version=0.0.4; charset=utf-8');
        response.end(renderMetrics(registration(), takeLoopDelay(this.#loopDelay)));
      } else if (request.url === '/livez') {
        response.end('ok\n');
      } else {
        response.statusCode = 404;
        response.end('There are /metrics and /livez here.\n');
      }
    });
  }

  async start(): Promise<void> {
    this.#loopDelay.enable();
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', (error: NodeJS.ErrnoException) => {
        const address = formatListen(this.#address);
        reject(
          error.code === 'EADDRINUSE'
            ? new CronmeshError('address-in-use', `${address} is taken by another process`)
            : error,
        );
      });
      this.#server.listen(this.#address.port, this.#address.host, resolve);
    });
  }

  async stop(): Promise<void> {
    this.#loopDelay.disable();
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}

/** p99 in seconds since it was last asked; the histogram holds whole periods of the timer. */
function takeLoopDelay(histogram: IntervalHistogram): number {
  const periodMs = histogram.percentile(99) / 1e6;
  histogram.reset();
  return Math.max(0, periodMs - loopResolutionMs) / 1_000;
}

function renderMetrics(value: WorkerValue, loopDelaySeconds: number): string {
  const gauges: readonly (readonly [string, string, number])[] = [
    ['slots', 'Runs that may go on at a time.', value.slots],
    ['running', 'Runs in hand now.', value.running],
    [
      'claiming',
      '1 while the worker claims, 0 while something keeps it from it.',
      value.state === 'ready' ? 1 : 0,
    ],
    [
      'clock_offset_seconds',
      "Worker's wall clock minus the fleet's.",
      (value.clockOffsetMs ?? 0) / 1_000,
    ],
    ['spool_pending_records', 'History records not yet in the store.', value.spool.pendingRecords],
    ['spool_pending_bytes', 'Bytes of them on disk.', value.spool.pendingBytes],
    [
      'spool_rejected_records',
      'History records that the store refused, in rejected.jsonl.',
      value.spool.rejectedRecords ?? 0,
    ],
    [
      'spool_draining',
      '0 while the store does not take history, 1 while it does.',
      value.spool.trouble === undefined ? 1 : 0,
    ],
    [
      'event_loop_delay_p99_seconds',
      'How late the event loop was since the last scrape.',
      loopDelaySeconds,
    ],
    ['resident_memory_bytes', 'RSS of the worker process.', process.memoryUsage.rss()],
  ];
  return gauges
    .map(
      ([name, help, number]) =>
        `# HELP cronmesh_worker_${name} ${help}\n# TYPE cronmesh_worker_${name} gauge\ncronmesh_worker_${name} ${number}\n`,
    )
    .join('');
}
