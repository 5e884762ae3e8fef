/**
 * The caller's end of one SQLite thread: starts it at the first call, answers each call by its
 * serial, and starts another one after a crash. Whatever was under way when the thread ended fails
 * as `store-unavailable`; every call can be repeated. A call that gets no answer (a file on a
 * storage that hangs) fails after `answerTimeoutMs`, though the thread may still carry it out.
 */
import { Worker } from 'node:worker_threads';
import type { Clock } from '../../clock.ts';
import { CronmeshError } from '../../errors.ts';
import { once } from '../../lifecycle.ts';
import type { Logger } from '../../log.ts';
import type { CallName, SqliteCalls, ThreadReply } from './thread-protocol.ts';

const answerTimeoutMs = 30_000;
const closeTimeoutMs = 10_000;
const historyThread = new URL('./sqlite-thread.js', import.meta.url);

interface Waiting {
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: unknown) => void;
  readonly cancelTimeout: () => void;
}

export class ThreadLink {
  readonly #file: string;
  readonly #threadFile: URL;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #waiting = new Map<number, Waiting>();
  #serial = 0;
  #thread: Worker | undefined;
  #stopping = false;

  constructor(
    file: string,
    deps: { readonly clock: Clock; readonly logger: Logger },
    threadFile: URL = historyThread,
  ) {
    this.#file = file;
    this.#threadFile = threadFile;
    this.#clock = deps.clock;
    this.#logger = deps.logger;
  }

  get isRunning(): boolean {
    return this.#thread !== undefined;
  }

  /** Buffers in `transfer` belong to the thread afterwards. */
  call<Name extends CallName>(
    call: Name,
    ask: SqliteCalls[Name]['ask'],
    transfer: readonly ArrayBuffer[] = [],
    timeoutMs = answerTimeoutMs,
  ): Promise<SqliteCalls[Name]['answer']> {
    if (this.#stopping) return Promise.reject(unavailable('the history store is stopped'));
    return this.#send(call, ask, transfer, timeoutMs);
  }

  /** Lets the calls under way finish, closes the file and ends the thread. */
  readonly stop = once(async () => {
    this.#stopping = true;
    const thread = this.#thread;
    if (thread === undefined) return;
    try {
      await this.#send('close', null, [], closeTimeoutMs);
    } catch (error) {
      this.#logger.warn({ err: error }, 'history file was not closed in order');
    }
    await thread.terminate();
  });

  #send<Name extends CallName>(
    call: Name,
    ask: SqliteCalls[Name]['ask'],
    transfer: readonly ArrayBuffer[],
    timeoutMs: number,
  ): Promise<SqliteCalls[Name]['answer']> {
    return new Promise((resolve, reject) => {
      const thread = (this.#thread ??= this.#startThread());
      const serial = (this.#serial += 1);
      const cancelTimeout = this.#clock.after(timeoutMs, () => {
        this.#waiting.delete(serial);
        reject(unavailable(`history file ${this.#file} did not answer in ${timeoutMs} ms`));
      });
      this.#waiting.set(serial, {
        // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- answered by our own thread
        resolve: (answer) => resolve(answer as SqliteCalls[Name]['answer']),
        reject,
        cancelTimeout,
      });
      try {
        thread.postMessage({ serial, call, ask }, transfer);
      } catch (error) {
        this.#take(serial)?.reject(error);
      }
    });
  }

  #startThread(): Worker {
    const thread = new Worker(this.#threadFile, {
      name: 'history',
      workerData: { file: this.#file },
      // Neither the tests' nor a debugger's flags of the parent are meant for it.
      execArgv: [],
    });
    let cause: unknown;
    thread.on('message', (reply: ThreadReply) => this.#settle(reply));
    thread.on('error', (error) => {
      cause = error;
    });
    thread.on('exit', (exitCode) => {
      if (this.#thread === thread) this.#thread = undefined;
      if (!this.#stopping) this.#logger.error({ err: cause, exitCode }, 'history thread ended');
      for (const serial of this.#waiting.keys()) {
        this.#take(serial)?.reject(unavailable('the history thread ended', cause));
      }
    });
    return thread;
  }

  #settle(reply: ThreadReply): void {
    const waiting = this.#take(reply.serial);
    if (waiting === undefined) return;
    if ('error' in reply) {
      waiting.reject(new CronmeshError(reply.error.code, reply.error.message));
    } else {
      waiting.resolve(reply.answer);
    }
  }

  #take(serial: number): Waiting | undefined {
    const waiting = this.#waiting.get(serial);
    this.#waiting.delete(serial);
    waiting?.cancelTimeout();
    return waiting;
  }
}

function unavailable(message: string, cause?: unknown): CronmeshError {
  return new CronmeshError('store-unavailable', message, { cause });
}
