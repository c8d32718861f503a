import { segmentDigest } from '../../layers/record/key.ts';
import { byFunction } from './by-function.ts';
import type { Finding } from './finding.ts';
import type { Gap } from './gap.ts';
import { expiresAfter, N, number, S, text } from './rows.ts';
import type { Item, Table } from './table.ts';

const KEY = '~findings';
/** Requests that a row names. */
const MOST_REQUESTS = 50;
/** Bytes of a key that stand in a row's place as they are: a place takes 1,024, and anybody who writes to the bucket makes up keys. */
const LONGEST_ABOUT = 400;

/** What the periodic verification found: a row for each thing, however often it is found. */
export class Findings {
  readonly #links: Table;
  readonly #retentionDays: number;

  constructor(links: Table, retentionDays: number) {
    this.#links = links;
    this.#retentionDays = retentionDays;
  }

  /** @param at µs since 1970: when it was found, or found again */
  async put(findings: readonly Finding[], at: number): Promise<void> {
    const expires = N(expiresAfter(at, this.#retentionDays));
    const rows = new Map<string, Item>();
    for (const one of findings) {
      const about = String(one.segment ?? one.from ?? '');
      const short = Buffer.byteLength(about) > LONGEST_ABOUT ? segmentDigest(Buffer.from(about)) : about;
      const place = [one.function, one.instanceId ?? '', one.kind, short].join('#');
      const told = { ...one, requests: one.requests.slice(0, MOST_REQUESTS), why: one.why.slice(0, 2000) };
      rows.set(place, { key: S(KEY), place: S(place), of: S(JSON.stringify(told)), seen: N(at), expires });
    }
    await this.#links.putAll([...rows.values()]);
  }

  /**
   * As gaps of kind `tampered`, in the order of their places.
   * @param after place where the page before ended; '' for the first
   * @param limit rows of a page
   */
  async gaps(
    since: number,
    fn: string | undefined,
    after: string,
    limit: number,
  ): Promise<{ readonly gaps: readonly Gap[]; readonly looked: number; readonly next?: string }> {
    const { rows, looked, next } = await byFunction(this.#links, KEY, { fn, after, limit });
    const gaps = rows
      .map((item): Gap => gapOf(JSON.parse(text(item, 'of')) as Finding, number(item, 'seen')))
      .filter(({ at }) => at >= since);
    return { gaps, looked, ...(next === undefined ? {} : { next }) };
  }
}

function gapOf({ kind, sure, function: fn, segment, why, instanceId, from, to, requests }: Finding, at: number): Gap {
  return {
    ...{ kind: 'tampered', at, function: fn, why: `${sure} ${kind}: ${why}` },
    ...(instanceId === undefined ? {} : { instanceId }),
    ...(from === undefined || to === undefined ? {} : { from, to }),
    ...(segment === undefined ? {} : { detail: segment }),
    ...(requests.length === 0 ? {} : { requests }),
  };
}
