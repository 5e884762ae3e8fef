/**
 * Preloaded into a process that is measured: on SIGUSR2 it prints how long its event loop was blocked at
 * worst, in ms, since its first connection; what comes before that is the loading of its own code.
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { watchLoop } from '../support/loop-block.ts';

let end: (() => number) | undefined;

const begin = (): void => {
  unsubscribe('net.client.socket', begin);
  end = watchLoop();
};
subscribe('net.client.socket', begin);
process.on('SIGUSR2', () => {
  process.stderr.write(`loop blocked for ${(end?.() ?? 0).toFixed(1)} ms at worst\n`);
});
