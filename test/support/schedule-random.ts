/**
 * Random cron expressions from a seed, in forms that other engines read too. Every run with one
 * seed makes the same expressions.
 */
export interface Dice {
  /** A whole number from `low` to `high`, both included. */
  between(low: number, high: number): number;
  chance(probability: number): boolean;
  pick<T>(choices: readonly [T, ...T[]]): T;
}

/** Mulberry32. */
export function createDice(seed: number): Dice {
  let state = seed >>> 0;
  const random = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
  const between = (low: number, high: number): number =>
    low + Math.floor(random() * (high - low + 1));
  return {
    between,
    chance: (probability) => random() < probability,
    pick: (choices) => choices[between(0, choices.length - 1)] ?? choices[0],
  };
}

export interface ExpressionWishes {
  /** Seconds other than 0. */
  readonly seconds?: boolean;
  /** Ranges with a step, which not all engines classify alike at a DST change. */
  readonly steppedRanges?: boolean;
  /** `L`, `W` and `#`, one to a field. */
  readonly specials?: boolean;
  readonly years?: boolean;
  /** How often the minute or the hour is one value or a list of them. */
  readonly pinned?: number;
}

/** Seven fields. */
export function randomExpression(dice: Dice, wishes: ExpressionWishes): string {
  const { pinned = 0.6 } = wishes;
  const plain = (low: number, high: number, star: number): string =>
    randomField(dice, low, high, star, wishes.steppedRanges === true);
  const second = wishes.seconds === true ? plain(0, 59, 0.2) : '0';
  const minute = plain(0, 59, 1 - pinned);
  const hour = plain(0, 23, 1 - pinned);
  const isSpecial = wishes.specials === true && dice.chance(0.4);
  const monthDay = isSpecial && dice.chance(0.5) ? monthDaySpecial(dice) : plain(1, 31, 0.6);
  const weekday =
    isSpecial && /^[\d,*/-]+$/.test(monthDay) ? weekdaySpecial(dice) : plain(0, 6, 0.6);
  const month = plain(1, 12, 0.7);
  const year = wishes.years === true && dice.chance(0.3) ? plain(1980, 2090, 0) : '*';
  return [second, minute, hour, monthDay, month, weekday, year].join(' ');
}

function randomField(
  dice: Dice,
  low: number,
  high: number,
  star: number,
  steppedRanges: boolean,
): string {
  if (dice.chance(star)) {
    return dice.chance(0.7) ? '*' : `*/${dice.between(2, Math.ceil((high - low) / 2))}`;
  }
  const items = Array.from({ length: dice.pick([1, 1, 1, 2, 3]) }, () => {
    const start = dice.between(low, high);
    if (start === high || dice.chance(0.6)) return `${start}`;
    // Never the whole range, which would be a star in other words.
    const end = dice.between(start + 1, start === low ? high - 1 : high);
    return steppedRanges && dice.chance(0.4)
      ? `${start}-${end}/${dice.between(1, Math.min(7, high - low))}`
      : `${start}-${end}`;
  });
  return items.join(',');
}

function monthDaySpecial(dice: Dice): string {
  return dice.pick(['L', 'LW', `${dice.between(1, 31)}W`, `${dice.between(1, 28)},L`]);
}

function weekdaySpecial(dice: Dice): string {
  return dice.pick([
    `${dice.between(0, 6)}L`,
    `${dice.between(0, 6)}#${dice.between(1, 5)}`,
    `${dice.between(0, 3)}#1,${dice.between(4, 6)}#3`,
  ]);
}
