/**
 * How long this process's event loop is blocked at worst, in ms. Time in which the loop's thread could
 * have run but the machine ran something else is not counted, so that a busy machine shows the process
 * and not itself.
 */
import { readFileSync } from 'node:fs';

const lookEveryMs = 2;

/** Watches from now on; the returned function ends it and answers. */
export function watchLoop(): () => number {
  let blockedMs = 0;
  let [lookedMs, waitedMs] = [performance.now(), runQueueMs()];
  const timer = setInterval(() => {
    const [nowMs, nowWaitedMs] = [performance.now(), runQueueMs()];
    blockedMs = Math.max(blockedMs, nowMs - lookedMs - lookEveryMs - (nowWaitedMs - waitedMs));
    [lookedMs, waitedMs] = [nowMs, nowWaitedMs];
  }, lookEveryMs);
  return () => {
    // It costs CPU time of its own.
    clearInterval(timer);
    return blockedMs;
  };
}

/** How long the main thread has waited for a core until now; the kernel's own account. */
function runQueueMs(): number {
  return Number(readFileSync('/proc/self/schedstat', 'utf8').split(' ')[1]) / 1e6;
}
