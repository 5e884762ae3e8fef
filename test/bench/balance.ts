/**
 * Whether load follows slots: how far the worst worker is off its share of the fires, when none of
 * them is short of anything; against as many fires that are drawn by lot, which are never even.
 */
import type { Figure } from './figures.ts';
import type { WorkerStart } from './no-spawn-messages.ts';

/** `slots` of the workers w0, w1, and so on. */
export function balanceOf(starts: readonly WorkerStart[], slots: readonly number[]): Figure {
  const total = slots.reduce((sum, count) => sum + count, 0);
  const worst = (workerOf: (at: number) => number): number => {
    const counts = slots.map(() => 0);
    for (let at = 0; at < starts.length; at++) {
      const index = workerOf(at);
      counts[index] = (counts[index] ?? 0) + 1;
    }
    return Math.max(
      ...slots.map((count, index) => {
        const fair = (starts.length * count) / total;
        return (100 * Math.abs((counts[index] ?? 0) - fair)) / fair;
      }),
    );
  };
  return {
    figure: `load over slots, ${starts.length.toLocaleString('en-US')} no-spawn fires, ${slots.length} workers: worst worker off its share`,
    unit: '%',
    ours: [worst((at) => Number(starts[at]?.worker.slice(1)))],
    baseline: 'as many fires drawn by lot',
    base: [worst(() => drawn(slots, Math.random() * total))],
    better: 'less',
    goals: [{ of: 'ours', is: '<=', value: 10 }],
  };
}

function drawn(slots: readonly number[], at: number): number {
  let left = at;
  return slots.findIndex((count) => {
    left -= count;
    return left < 0;
  });
}
