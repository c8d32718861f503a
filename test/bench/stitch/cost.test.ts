import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { costOf, costTable } from './cost.ts';

describe('the cost of a million requests', () => {
  it('is what docs/cost.md says', () => {
    expect(readFileSync('docs/cost.md', 'utf8')).toContain(costTable());
  });

  it('grows with what is measured, each line with its own', () => {
    const one = { segments: 1, segmentBytes: 1000, writeUnits: 8, tableBytes: 4000, segmentMs: 2 };
    const usd = (figures: typeof one, days = 90) => Object.fromEntries(costOf(figures, days));
    expect(usd(one)['DynamoDB, writing']).toBeCloseTo(8 * 0.625);
    expect(usd(one)['DynamoDB, 90 days kept']).toBeCloseTo(4 * 3 * 0.25);
    expect(usd({ ...one, segments: 0.1 })['S3, puts']).toBeCloseTo(0.5);
    expect(usd(one, 30)['S3, 30 days kept']).toBeCloseTo(0.023);
  });
});
