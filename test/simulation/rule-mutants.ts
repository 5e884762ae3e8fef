/**
 * Rules that lie in the code rather than in a transaction, each taken out of a copy of the code: one
 * mutant each.
 */
import type { SourceEdit } from './altered-source.ts';

export interface RuleMutant {
  readonly transaction: string;
  readonly guard: string;
  readonly edit: SourceEdit;
}

export const ruleMutants: readonly RuleMutant[] = [
  {
    transaction: 'start',
    guard: 'session alive by the local deadline',
    edit: {
      file: 'worker/run/active-runs',
      find: 'session.id !== run.fire.session || !session.alive()',
      replace: 'false',
    },
  },
  {
    transaction: 'start',
    guard: 'orders looked up again before it',
    edit: {
      file: 'worker/run/active-runs',
      find: 'this.applyOrders(run.won.entry.name);\n        if',
      replace: 'if',
    },
  },
  {
    transaction: 'kill',
    guard: 'order newer than the claim',
    edit: {
      file: 'shared/protocol/kill',
      find: 'return claimRevision < orderRevision;',
      replace: 'return true;',
    },
  },
  {
    transaction: 'clock',
    guard: 'not jumped by 250 ms since it was compared',
    edit: {
      file: 'shared/mesh/fleet-clock',
      find: 'const maxJumpMs = 250;',
      replace: 'const maxJumpMs = Infinity;',
    },
  },
  {
    transaction: 'writeOff',
    guard: 'only ticks that are 2 s old',
    edit: {
      file: 'worker/schedule/decide-ticks',
      find: 'const staleTickMs = 2_000;',
      replace: 'const staleTickMs = 0;',
    },
  },
  {
    transaction: 'completeRun',
    guard: 'outcome on disk before it',
    edit: {
      file: 'worker/run/completer',
      find: "await this.#retrying('outcome could not be spooled'",
      replace: "void this.#retrying('outcome could not be spooled'",
    },
  },
  {
    transaction: 'reownFire',
    guard: 'a guarded run that was settled is killed',
    edit: {
      file: 'worker/run/reown',
      find: "run.handle?.kill('settled as lost by another worker', 0);",
      replace: '',
    },
  },
];
