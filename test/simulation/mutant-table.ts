/**
 * The mutation table: for every mutant, the first of the seeds that notices it, and by which invariant.
 * A mutant that no seed notices has survived: its guard is implied by others (then it is said by which),
 * or the fault that needs it is not simulated.
 */
import { prepareEdits, simulateEdited } from './altered-source.ts';
import { impliedGuards } from './implied-guards.ts';
import { mutants, type Mutant } from './mutants.ts';
import { ruleMutants, type RuleMutant } from './rule-mutants.ts';
import { simulate } from './simulate.ts';

export type AnyMutant = Mutant | RuleMutant;

export interface MutantVerdict {
  readonly mutant: AnyMutant;
  readonly caughtBy: { readonly seed: number; readonly invariant: string } | undefined;
  readonly seedsTried: number;
}

/** Fewer minutes than usual: most mutants are noticed soon, and there are many. */
const minutes = 3;

export const allMutants: readonly AnyMutant[] = [...mutants, ...ruleMutants];

export function titleOf({ transaction, guard }: AnyMutant): string {
  return `${transaction}: ${guard}`;
}

export async function tryMutant(
  mutant: AnyMutant,
  seeds: readonly number[],
): Promise<MutantVerdict> {
  const run = await runnerOf(mutant);
  for (const [index, seed] of seeds.entries()) {
    const [first] = await run(seed);
    const seedsTried = index + 1;
    if (first !== undefined) {
      if (!(await isSound(seed))) throw new Error(`seed ${seed} breaks with nothing taken out`);
      return { mutant, caughtBy: { seed, invariant: first.invariant }, seedsTried };
    }
  }
  return { mutant, caughtBy: undefined, seedsTried: seeds.length };
}

const sound = new Map<number, Promise<boolean>>();

/** A seed that breaks with nothing taken out would notice anything. */
function isSound(seed: number): Promise<boolean> {
  let known = sound.get(seed);
  if (known === undefined) {
    known = simulate({ seed, minutes }).then(({ violations }) => violations.length === 0);
    sound.set(seed, known);
  }
  return known;
}

type Runner = (seed: number) => Promise<readonly { readonly invariant: string }[]>;

async function runnerOf(mutant: AnyMutant): Promise<Runner> {
  if ('create' in mutant) {
    return async (seed) =>
      (await simulate({ seed, minutes, mutation: mutant.create() })).violations;
  }
  prepareEdits(Object.fromEntries(ruleMutants.map((rule) => [titleOf(rule), rule.edit])));
  const simulateIt = await simulateEdited(titleOf(mutant), mutant.edit);
  return async (seed) => (await simulateIt({ seed, minutes })).violations;
}

export const tableHead: readonly string[] = [
  '| transaction | guard or rule taken out | noticed by |',
  '| --- | --- | --- |',
];

/** Noticed, or known to be implied by other guards. */
export function isAccountedFor({ mutant, caughtBy }: MutantVerdict): boolean {
  return caughtBy !== undefined || impliedGuards.has(titleOf(mutant));
}

export function tableRow({ mutant, caughtBy, seedsTried }: MutantVerdict): string {
  const implied = impliedGuards.get(titleOf(mutant));
  const verdict =
    caughtBy !== undefined
      ? `seed ${caughtBy.seed}: ${caughtBy.invariant}`
      : implied !== undefined
        ? `nobody, it is implied: ${implied}`
        : seedsTried === 0
          ? 'not tried'
          : `**nobody** in ${seedsTried} ${seedsTried === 1 ? 'seed' : 'seeds'}`;
  return `| \`${mutant.transaction}\` | ${mutant.guard} | ${verdict} |`;
}

/** Which seed noticed, by the title of the mutant, as a table of before has it. */
export function seedsOf(table: string): ReadonlyMap<string, number> {
  const rows = table.matchAll(/^\| `([^`]+)`\s*\| (.+?)\s*\| seed (\d+): /gm);
  return new Map(
    [...rows].map(([, transaction, guard, seed]) => [`${transaction}: ${guard}`, Number(seed)]),
  );
}

export function summaryOf(verdicts: readonly MutantVerdict[]): string {
  const noticed = verdicts.filter(({ caughtBy }) => caughtBy !== undefined).length;
  const implied = verdicts.filter(isAccountedFor).length - noticed;
  const survived = verdicts.length - noticed - implied;
  return `${verdicts.length} mutants: ${noticed} noticed, ${implied} implied, ${survived} not noticed`;
}

/** Tells the table as Markdown, row by row; resolves to the exit code: 1 when one survived. */
export async function runMutants(
  say: (line: string) => void,
  seeds: readonly number[],
  only: string | undefined,
): Promise<number> {
  const chosen = allMutants.filter(
    (mutant) => only === undefined || titleOf(mutant).includes(only),
  );
  for (const line of tableHead) say(line);
  const verdicts: MutantVerdict[] = [];
  for (const mutant of chosen) {
    const verdict = await tryMutant(mutant, seeds);
    verdicts.push(verdict);
    say(tableRow(verdict));
  }
  say('');
  say(summaryOf(verdicts));
  return verdicts.every(isAccountedFor) ? 0 : 1;
}
