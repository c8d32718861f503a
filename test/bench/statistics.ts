/** A figure over the rounds: its median, and the least and the most of them. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** @throws RangeError for an empty list */
export function quantile(numbers: readonly number[], part: number): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  const at = (sorted.length - 1) * part;
  const [low, high] = [sorted[Math.floor(at)], sorted[Math.ceil(at)]];
  if (low === undefined || high === undefined) throw new RangeError('a quantile of no numbers');
  return low + (high - low) * (at - Math.floor(at));
}

export function spread(numbers: readonly number[]): Spread {
  return { median: quantile(numbers, 0.5), min: Math.min(...numbers), max: Math.max(...numbers) };
}

/** Ratios within each round: what slows a whole round down slows both sides of it. */
export function ratios(numbers: readonly number[], base: readonly number[]): Spread {
  return spread(numbers.map((number, round) => number / (base[round] ?? Number.NaN)));
}
