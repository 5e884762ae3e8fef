/**
 * The mutation table: for every mutant, the first of the seeds that notices it, and by which invariant.
 * A mutant that no seed notices has survived: its guard is redundant, or the fault that needs it is
 * not simulated.
 */
import { mutants, type Mutant } from './mutants.ts';
import { simulate } from './simulate.ts';

export interface MutantVerdict {
  readonly mutant: Mutant;
  readonly caughtBy: { readonly seed: number; readonly invariant: string } | undefined;
}

/** Fewer minutes than usual: most mutants are noticed soon, and there are many. */
const minutes = 3;

export async function tryMutant(mutant: Mutant, seeds: readonly number[]): Promise<MutantVerdict> {
  for (const seed of seeds) {
    const { violations } = await simulate({ seed, minutes, mutation: mutant.create() });
    const [first] = violations;
    if (first !== undefined) return { mutant, caughtBy: { seed, invariant: first.invariant } };
  }
  return { mutant, caughtBy: undefined };
}

/** Prints the table as Markdown; resolves to the exit code: 1 when one survived. */
export async function runMutants(
  say: (line: string) => void,
  seeds: readonly number[],
  only: string | undefined,
): Promise<number> {
  const chosen = mutants.filter(
    ({ transaction, guard }) => only === undefined || `${transaction}: ${guard}`.includes(only),
  );
  say('| transaction | guard or rule taken out | noticed by |');
  say('| --- | --- | --- |');
  let survivors = 0;
  for (const mutant of chosen) {
    const { caughtBy } = await tryMutant(mutant, seeds);
    const verdict =
      caughtBy === undefined
        ? `**survived** ${seeds.length} seeds`
        : `seed ${caughtBy.seed}: ${caughtBy.invariant}`;
    if (caughtBy === undefined) survivors++;
    say(`| \`${mutant.transaction}\` | ${mutant.guard} | ${verdict} |`);
  }
  say('');
  say(`${chosen.length} mutants, ${survivors} survived`);
  return survivors === 0 ? 0 : 1;
}
