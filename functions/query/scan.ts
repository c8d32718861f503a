/** Looking through the local graphs of a time range, for what no index can answer. */
import type { InstanceId } from '../../layers/record/types.ts';
import { OUTSIDE, type Partition } from '../graph/ids.ts';
import type { Matcher } from '../graph/match.ts';
import type { Evidence, Node } from '../graph/model.ts';
import type { Shard } from '../graph/shard.ts';
import type { Store } from '../store/connect.ts';
import type { ListPlace } from '../store/lists.ts';
import { inParallel } from '../store/table.ts';

/** Lambda lets a request run for 15 minutes: one that began so long before may still have acted in the range. */
const LONGEST_REQUEST = 900_000_000;
/** Rows of the lists read at once, and graphs loaded at once. */
const ROWS = 100;
const WIDTH = 8;

export interface ScanHit {
  readonly node: Node;
  readonly shard: Pick<Shard, 'instance' | 'fn' | 'partition' | 'segment'>;
  readonly evidence?: Evidence;
}

export interface Scanned {
  readonly hits: readonly ScanHit[];
  /** Local graphs looked through, and the earliest time to which they reach. */
  readonly graphs: number;
  readonly reached?: number;
  readonly next?: ListPlace;
}

/**
 * Newest first. What an instance did outside any request is looked through once for each page that has a row of it.
 * @param options `most`: hits after which to stop; `graphs`: local graphs to load; `deadline`: ms since 1970
 */
export async function scan(
  store: Store,
  matches: Matcher,
  options: {
    readonly since: number;
    readonly until: number;
    readonly fn?: string;
    readonly after?: ListPlace;
    readonly most: number;
    readonly graphs: number;
    readonly deadline: number;
  },
): Promise<Scanned> {
  const { since, until, fn } = options;
  const hits: ScanHit[] = [];
  const seen = new Set<string>();
  let after = options.after;
  let graphs = 0;
  let reached: number | undefined;
  do {
    const page = await store.lists.requests({
      ...{ since: Math.max(0, since - LONGEST_REQUEST), until, segments: true, limit: Math.min(ROWS, options.graphs) },
      ...(fn === undefined ? {} : { fn }),
      ...(after === undefined ? {} : { after }),
    });
    const places: { readonly instance: InstanceId; readonly partition: Partition }[] = [];
    for (const { instance, partition, at } of page.entries) {
      for (const one of partition === '' ? OUTSIDE : [partition, ...OUTSIDE]) {
        if (seen.has(`${instance}/${one}`)) continue;
        seen.add(`${instance}/${one}`);
        places.push({ instance, partition: one });
      }
      reached = Math.min(reached ?? at, at);
    }
    const found = await inParallel(places, WIDTH, async ({ instance, partition }) => {
      const shards = await store.source.shardsOf(instance, partition);
      return shards.flatMap((shard) => hitsIn(shard, matches, since, until));
    });
    hits.push(...found.flat());
    graphs += places.length;
    after = page.next;
  } while (after !== undefined && hits.length < options.most && graphs < options.graphs && Date.now() < options.deadline);
  return { hits, graphs, ...(reached === undefined ? {} : { reached }), ...(after === undefined ? {} : { next: after }) };
}

function hitsIn(shard: Shard, matches: Matcher, since: number, until: number): readonly ScanHit[] {
  const { instance, fn, partition, segment } = shard;
  return shard.nodes
    .filter((node) => node.last >= since && node.first <= until && matches(node))
    .map((node) => {
      const seq = shard.edges.find(({ from, to }) => from === node.id || to === node.id)?.seqs[0];
      const of = { instance, fn, partition, segment };
      return { node, shard: of, ...(seq === undefined ? {} : { evidence: { segment, seq } }) };
    });
}
