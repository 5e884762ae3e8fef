/** Lists, then watches, a prefix. */
import type { Clock, Random } from '../clock.ts';
import { CronmeshError } from '../errors.ts';
import type { Logger } from '../log.ts';
import type { Endpoints } from './endpoints.ts';
import type { Caller } from './kv.ts';
import type { Mirror, MirrorConsumer } from './port.ts';

export interface MirrorOptions {
  readonly prefix: string;
  readonly consumer: MirrorConsumer;
  readonly caller: Caller;
  readonly endpoints: Endpoints;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

export class ListWatchMirror implements Mirror {
  constructor(options: MirrorOptions) {
    options.logger.trace({ prefix: options.prefix }, 'mirror made');
  }

  start(): Promise<void> {
    return Promise.reject(new CronmeshError('internal', 'mirrors are not there yet'));
  }

  stop(): Promise<void> {
    return Promise.resolve();
  }

  ready(): Promise<void> {
    return this.start();
  }
}
