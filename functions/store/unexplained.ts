/** Requests that nothing configured explains. */
import { joinLink, type Partition } from '../graph/ids.ts';
import type { GraphSource } from '../graph/source.ts';
import { type ConfiguredFunction, explained, takesAnything } from './inventory.ts';
import { inParallel } from './table.ts';

/** Claims of a request's id that are looked at; every function has its turn. */
const MAX_CLAIMS = 50;

/** What a request says of how it came. */
export interface Invoked {
  readonly fn: string;
  readonly partition: Partition;
  readonly trigger?: string;
  readonly source?: string;
}

/** Of these requests, those that nothing configured explains. None when the inventory does not know their function. */
export async function unexplained<T extends Invoked>(
  requests: readonly T[],
  configured: ReadonlyMap<string, ConfiguredFunction>,
  source: GraphSource,
): Promise<readonly T[]> {
  const judged = await inParallel(requests, 8, async (one) => {
    const known = configured.get(one.fn);
    if (one.trigger === undefined || known === undefined) return false;
    const told = explained(known, one.trigger, one.source);
    if (told !== undefined) return !told;
    if (one.trigger !== 'invoke' || takesAnything(known)) return false;
    // A plain invocation is explained by an audited caller.
    const { links } = await source.linksOf(joinLink(`lambda:${one.partition}`), { limit: MAX_CLAIMS });
    return !links.some(({ direction }) => direction === 'out');
  });
  return requests.filter((_, i) => judged[i]);
}
