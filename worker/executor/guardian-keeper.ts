/**
 * Keeps one guardian alive beside the worker: starts it, asks every second whether it still
 * answers, and starts another with backoff when it is gone. `link` is the one in service, if any.
 */
import { backoffMs, type Clock, type Random } from '../../shared/clock.ts';
import type { Logger } from '../../shared/log.ts';
import { Alarm } from '../guardian/alarm.ts';
import type { FromGuardian } from '../guardian/messages.ts';
import { GuardianLink } from './guardian-link.ts';

const pingMs = 1_000;
const missedPingsUnhealthy = 2;
const missedPingsKill = 15;
const minBackoffMs = 50;
const maxBackoffMs = 5_000;
/** A guardian that lived this long was not part of a row of failures. */
const settledMs = 10_000;

export type RunMessage = Extract<FromGuardian, { id: number }>;

export interface GuardianKeeperOptions {
  readonly cgroups: boolean;
  readonly spawner: boolean;
  readonly guardianPath: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: Random;
  readonly onReady: (link: GuardianLink) => void;
  readonly onMessage: (message: RunMessage) => void;
  /** Every second, while it has not answered for at least two. */
  readonly onUnanswered: () => void;
  /** After its last message. */
  readonly onGone: (link: GuardianLink, how: string) => void;
}

export class GuardianKeeper {
  readonly #options: GuardianKeeperOptions;
  readonly #pingAlarm: Alarm;
  readonly #restartAlarm: Alarm;
  #link: GuardianLink | undefined;
  #linkSinceMs = 0;
  #connecting: Promise<void> | undefined;
  #failures = 0;
  #missedPings = 0;
  #isPongDue = false;
  #stopping = false;

  constructor(options: GuardianKeeperOptions) {
    this.#options = options;
    this.#pingAlarm = new Alarm(options.clock, () => this.#ping());
    this.#restartAlarm = new Alarm(options.clock, () => void this.#restart());
  }

  get link(): GuardianLink | undefined {
    return this.#link;
  }

  get healthy(): boolean {
    return this.#link !== undefined && this.#missedPings < missedPingsUnhealthy;
  }

  /** Rejects when the first guardian does not come up. */
  async start(): Promise<void> {
    if (this.#stopping) return;
    this.#connecting = this.#connect();
    await this.#connecting;
  }

  /** No other guardian comes from here on; the one in service stays until end(). */
  async stopRestarting(): Promise<void> {
    this.#stopping = true;
    this.#restartAlarm.clear();
    // One that is just coming up is ended by its own connect.
    await this.#connecting?.catch(() => undefined);
  }

  /** Lets the guardian go: it kills what it still runs. */
  async end(): Promise<void> {
    await this.stopRestarting();
    this.#pingAlarm.clear();
    await this.#link?.end();
  }

  async #connect(): Promise<void> {
    const { guardianPath, cgroups, spawner, clock, logger } = this.#options;
    const link = new GuardianLink({
      guardianPath,
      cgroups,
      spawner,
      clock,
      onMessage: (message) => this.#onMessage(message),
      onGone: (how) => this.#onGone(link, how),
    });
    await link.ready();
    if (this.#stopping) {
      await link.end();
      return;
    }
    this.#link = link;
    this.#linkSinceMs = clock.monotonicMs();
    this.#isPongDue = false;
    this.#missedPings = 0;
    this.#pingAlarm.set(this.#linkSinceMs + pingMs);
    logger.debug({ guardian: link.pid }, 'guardian ready');
    this.#options.onReady(link);
  }

  #onMessage(message: Exclude<FromGuardian, { type: 'ready' }>): void {
    this.#isPongDue = false;
    this.#missedPings = 0;
    if (message.type === 'notice') {
      const { text, runId } = message;
      this.#options.logger.warn(runId === undefined ? {} : { runId }, text);
    } else if (message.type !== 'pong') this.#options.onMessage(message);
  }

  #onGone(link: GuardianLink, how: string): void {
    if (this.#link === link) this.#link = undefined;
    this.#pingAlarm.clear();
    this.#options.onGone(link, how);
    if (this.#stopping) return;
    this.#options.logger.error({ guardian: link.pid, how }, 'guardian lost, starting another');
    if (this.#options.clock.monotonicMs() - this.#linkSinceMs > settledMs) this.#failures = 0;
    this.#restartLater();
  }

  #restartLater(): void {
    const { clock, random } = this.#options;
    const delayMs = backoffMs(this.#failures, minBackoffMs, maxBackoffMs, random);
    this.#failures += 1;
    this.#restartAlarm.set(clock.monotonicMs() + delayMs);
  }

  async #restart(): Promise<void> {
    try {
      this.#connecting = this.#connect();
      await this.#connecting;
    } catch (error) {
      this.#options.logger.error({ err: error }, 'the guardian could not be started');
      if (!this.#stopping) this.#restartLater();
    }
  }

  #ping(): void {
    if (this.#link === undefined) return;
    // Counted by our own ticks: a pause of the worker itself is one tick, however long it was.
    if (this.#isPongDue) this.#missedPings += 1;
    if (this.#missedPings === missedPingsUnhealthy) {
      this.#options.logger.warn({ guardian: this.#link.pid }, 'the guardian does not answer');
    }
    if (this.#missedPings >= missedPingsUnhealthy) this.#options.onUnanswered();
    if (this.#missedPings >= missedPingsKill) this.#link.kill();
    this.#isPongDue = true;
    this.#link.send({ type: 'ping' });
    this.#pingAlarm.set(this.#options.clock.monotonicMs() + pingMs);
  }
}
