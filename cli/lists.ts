/** Lists of the query API, which come in pages. */
import type { Api, Query } from './api.ts';
import { instant, whole } from './usage.ts';

export const rangeOptions = {
  since: {
    type: 'string',
    value: 'time',
    says: 'from then on: ISO 8601, or a span back from now such as 90m, 36h, 7d (default: 7d)',
  },
  until: { type: 'string', value: 'time', says: 'until then (default: now)' },
} as const;

export const listOptions = {
  limit: { type: 'string', value: 'n', says: 'at most so many (default: 50)' },
  all: { type: 'boolean', says: 'all there are' },
  cursor: { type: 'string', value: 'cursor', says: 'go on where an earlier answer (--json) ended; with the same filters' },
} as const;

/** Times as the API takes them: µs since 1970. */
export function rangeOf(asked: { readonly since?: string | undefined; readonly until?: string | undefined }): Query {
  return { since: micros('--since', asked.since), until: micros('--until', asked.until) };
}

export function micros(option: string, text: string | undefined): number | undefined {
  return text === undefined ? undefined : Math.round(instant(option, text, Date.now()) * 1000);
}

const USUAL = 50;
const MOST = 1_000_000;

interface Wanted {
  /** How many; see {@link wantedOf}. */
  readonly wanted: number;
  readonly cursor?: string | undefined;
  /** Most that the API gives in one page. */
  readonly most: number;
}

/** How many are asked for. */
export function wantedOf({ limit, all }: { readonly limit?: string | undefined; readonly all: boolean }): number {
  if (all) return Number.POSITIVE_INFINITY;
  return limit === undefined ? USUAL : whole('--limit', limit, 1, MOST);
}

type Page<List extends string> = { readonly [Name in List]: readonly object[] } & {
  readonly cursor?: string | undefined;
  readonly cut: readonly string[];
};

/** As many as are wanted of a list, page by page. The answer is that of the last page, with the items of all. */
export async function pages<Answer extends Page<List>, List extends string & keyof Answer>(
  api: Api,
  path: string,
  list: List,
  query: Query,
  { wanted, cursor: from, most }: Wanted,
): Promise<Answer> {
  const found: object[] = [];
  let cursor = from;
  let last: Answer;
  for (;;) {
    const asked = { ...query, limit: Math.min(most, wanted - found.length), cursor };
    last = await api.get<Answer>(
      path,
      asked,
      [list],
      `asking for ${path}${found.length > 0 ? `, ${found.length} so far` : ''}`,
    );
    found.push(...last[list]);
    cursor = last.cursor;
    if (cursor === undefined || found.length >= wanted) break;
  }
  // A page may hold more than was asked for. Behind these its cursor would skip the others.
  const surplus = found.length > wanted;
  const more =
    surplus || cursor !== undefined
      ? [`more ${list}: --limit <n>, --all${surplus ? '' : ', or --cursor with that of --json'}`]
      : [];
  const cut = last.cut.filter((one) => more.length === 0 || !one.endsWith('ask again with cursor'));
  return { ...last, ...(surplus ? { cursor: undefined } : {}), [list]: found.slice(0, wanted), cut: [...cut, ...more] };
}
