/**
 * Preloaded into a process that is measured: on SIGUSR2 it prints how long its event loop was blocked at
 * worst, in ms, since its first connection; what comes before that is the loading of its own code. Time
 * in which the loop's thread could have run but the machine ran something else is not counted, so that a
 * busy machine shows the process and not itself.
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { readFileSync } from 'node:fs';

const lookEveryMs = 2;
let blockedMs = 0;
let timer: NodeJS.Timeout | undefined;

const begin = (): void => {
  unsubscribe('net.client.socket', begin);
  let [lookedMs, waitedMs] = [performance.now(), runQueueMs()];
  timer = setInterval(() => {
    const [nowMs, nowWaitedMs] = [performance.now(), runQueueMs()];
    blockedMs = Math.max(blockedMs, nowMs - lookedMs - lookEveryMs - (nowWaitedMs - waitedMs));
    [lookedMs, waitedMs] = [nowMs, nowWaitedMs];
  }, lookEveryMs);
};
subscribe('net.client.socket', begin);
process.on('SIGUSR2', () => {
  // It costs CPU time of its own.
  clearInterval(timer);
  process.stderr.write(`loop blocked for ${blockedMs.toFixed(1)} ms at worst\n`);
});

/** How long the main thread has waited for a core until now; the kernel's own account. */
function runQueueMs(): number {
  return Number(readFileSync('/proc/self/schedstat', 'utf8').split(' ')[1]) / 1e6;
}
