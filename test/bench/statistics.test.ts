import { expect, it } from 'vitest';
import { quantile, ratios, spread } from './statistics.ts';

it('interpolates quantiles, whatever the order', () => {
  expect(quantile([4, 1, 3, 2], 0.5)).toBe(2.5);
  expect(quantile([10, 20], 0.95)).toBeCloseTo(19.5);
  expect(quantile([7], 0.95)).toBe(7);
  expect(() => quantile([], 0.5)).toThrow(RangeError);
});

it('compares within each round, so that a slow round does not count as a cost', () => {
  expect(ratios([11, 110, 22], [10, 100, 20])).toEqual({ median: 1.1, min: 1.1, max: 1.1 });
  expect(spread([3, 1, 2])).toEqual({ median: 2, min: 1, max: 3 });
});
