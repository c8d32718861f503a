/** Random numbers that a seed repeats, so that a run which failed can be run again. */
export interface Random {
  /** In [0, 1). */
  next(): number;
  /** Whole, from `least` to `most`, both included. */
  between(least: number, most: number): number;
  /** One of `items`, of which there must be at least one. */
  pick<T>(items: readonly T[]): T;
  shuffle<T>(items: readonly T[]): T[];
  /** Lower-case letters and digits, the first a letter. */
  word(length: number): string;
}

/** xorshift128 by Marsaglia (2003), its state spread from the seed by splitmix32. */
export function seededRandom(seed: number): Random {
  let spread = seed >>> 0;
  const state = Array.from({ length: 4 }, () => {
    spread = (spread + 0x9e3779b9) >>> 0;
    let mixed = spread;
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return (mixed ^ (mixed >>> 15)) >>> 0;
  });
  let [x = 1, y = 2, z = 3, w = 4] = state;

  const next = () => {
    const t = x ^ (x << 11);
    [x, y, z] = [y, z, w];
    w = (w ^ (w >>> 19) ^ t ^ (t >>> 8)) >>> 0;
    return w / 2 ** 32;
  };
  const between = (least: number, most: number) => least + Math.floor(next() * (most - least + 1));
  const letters = 'abcdefghijklmnopqrstuvwxyz';
  return {
    next,
    between,
    pick: (items) => {
      const item = items[between(0, items.length - 1)];
      if (item === undefined) throw new RangeError('There is nothing to pick from.');
      return item;
    },
    shuffle: (items) =>
      items
        .map((item) => ({ item, at: next() }))
        .sort((a, b) => a.at - b.at)
        .map(({ item }) => item),
    word: (length) =>
      Array.from({ length }, (_, place) => {
        const signs = place === 0 ? letters : `${letters}0123456789`;
        return signs.charAt(between(0, signs.length - 1));
      }).join(''),
  };
}
