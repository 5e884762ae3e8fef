export async function runMutants(
  say: (line: string) => void,
  seeds: readonly number[],
  only: string | undefined,
): Promise<number> {
  say(String(seeds.length) + String(only));
  return 0;
}
