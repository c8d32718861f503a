import { S, text } from './rows.ts';
import type { Item, Table } from './table.ts';

/**
 * A page of a partition of the table of links whose places begin with a function's name.
 * @param after place where the page before ended; '' for the first
 * @param limit rows of a page
 */
export async function byFunction(
  links: Table,
  key: string,
  { fn, after, limit }: { readonly fn: string | undefined; readonly after: string; readonly limit: number },
): Promise<{ readonly rows: readonly Item[]; readonly looked: number; readonly next?: string }> {
  const [first, last] = fn === undefined ? [' ', '~'] : [`${fn}#`, `${fn}#~`];
  // A cursor of another question.
  if (after > last) return { rows: [], looked: 0 };
  const { items, cut } = await links.query(
    {
      KeyConditionExpression: '#k = :k AND place BETWEEN :a AND :b',
      ExpressionAttributeNames: { '#k': 'key' },
      ExpressionAttributeValues: { ':k': S(key), ':a': S(after > first ? after : first), ':b': S(last) },
    },
    // One of them is the one that the page before ended with.
    limit + 1,
  );
  const rows = items.filter((item) => text(item, 'place') !== after).slice(0, limit);
  const end = rows.at(-1);
  const more = end !== undefined && (cut || text(end, 'place') !== text(items.at(-1) ?? end, 'place'));
  return { rows, looked: items.length, ...(more ? { next: text(end, 'place') } : {}) };
}
