import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { expect, it } from 'vitest';
import { Table } from '../../../functions/store/table.ts';
import { touchesUnder } from '../../../functions/store/touches.ts';

/** Lists of minutes so busy that each is only begun, and that tell nothing of what is asked for. */
class Busy extends Table {
  asked = 0;
  override async query() {
    this.asked++;
    return { items: [], cut: true, looked: 10_000 };
  }
}

it('looks for touches of a resource in so many rows and no more, and says so', async () => {
  const table = new Busy(new DynamoDBClient({ region: 'eu-west-1' }), 'links');
  const minutes = Array.from(
    { length: 600 },
    (_, n) => `2026-11-22T${String(Math.trunc(n / 60)).padStart(2, '0')}:${String(n % 60).padStart(2, '0')}#0`,
  );
  const found = await touchesUnder(table, 'resource:sqs:orders' as never, minutes, { order: 'newest', limit: 10 });
  expect(found).toEqual({ links: [], cut: true });
  expect(table.asked).toBeLessThanOrEqual(12);
});
