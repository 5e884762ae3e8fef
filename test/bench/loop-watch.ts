/**
 * Preloaded into a process that is measured: on SIGUSR2 it prints how long its event loop was blocked at
 * worst, in ms, since its first connection; what comes before that is the loading of its own code.
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { monitorEventLoopDelay } from 'node:perf_hooks';

const delay = monitorEventLoopDelay({ resolution: 1 });
const begin = (): void => {
  unsubscribe('net.client.socket', begin);
  delay.enable();
};
subscribe('net.client.socket', begin);
process.on('SIGUSR2', () => {
  // It costs CPU time of its own.
  delay.disable();
  process.stderr.write(`loop blocked for ${(delay.max / 1e6).toFixed(1)} ms at worst\n`);
});
