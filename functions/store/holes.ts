/** What the segments of one hour's list show as missing: numbers, links of the hash chain, and what instances themselves tell. */
import type { Partition } from '../graph/ids.ts';
import type { GraphSource } from '../graph/source.ts';
import { missing } from './chain.ts';
import type { Gap, GapKind } from './gap.ts';
import type { ConfiguredFunction } from './inventory.ts';
import type { ListRow, Lists } from './lists.ts';
import { shardPart } from './rows.ts';
import { unexplained } from './unexplained.ts';

export interface Looking {
  readonly kinds: ReadonlySet<GapKind>;
  readonly limit: number;
  readonly fn?: string;
  readonly configured: ReadonlyMap<string, ConfiguredFunction>;
}

interface From {
  readonly source: GraphSource;
  readonly lists: Lists;
}

/** Of the segments in one part of an hour's list. */
export async function holesIn({ source, lists }: From, name: string, place: string, { fn, kinds, limit, configured }: Looking) {
  const { rows, next } = await lists.rowsOf(name, place, limit);
  const heads = rows.filter((row) => row.counts !== undefined && (fn === undefined || row.fn === fn));
  const gaps: Gap[] = [];
  let looked = rows.length;
  if (kinds.has('unexplained')) {
    const own = rows.filter((row) => fn === undefined || row.fn === fn);
    for (const row of await unexplained(own, configured, source)) {
      const why = `${row.trigger}${row.source === undefined ? '' : ` ${row.source}`}`;
      gaps.push({ ...gapOf(row), kind: 'unexplained', requestId: row.partition, why });
    }
  }
  const inside = kinds.has('records') || kinds.has('chain') || kinds.has('gap');
  const instances = Map.groupBy(inside ? heads : [], ({ instance }) => instance);
  for (const [instance, own] of instances) {
    const seen = await lists.instance(instance);
    looked += seen.items.length;
    const [first] = own;
    if (seen.cut && first !== undefined) {
      // Of a part of its segments it cannot be said what lies between them; that is told, not left out.
      gaps.push({ ...gapOf(first), kind: 'gap', why: 'not-checked: more segments than are looked through' });
      continue;
    }
    const holes = missing(seen.segments);
    for (const row of own) {
      for (const hole of holes) {
        // A hole belongs to the segment that follows it.
        const here = hole.kind === 'chain' ? hole.from === row.first : hole.to === row.first - 1;
        if (here && kinds.has(hole.kind)) gaps.push({ ...gapOf(row), ...hole });
      }
      if (kinds.has('gap') && (row.counts?.gaps ?? 0) > 0) gaps.push(...(await told(source, row, seen.items)));
    }
  }
  return { gaps, looked, ...(next === undefined ? {} : { next }) };
}

/** What the instance itself recorded as lost, in one of its segments. */
async function told(
  source: GraphSource,
  row: ListRow,
  items: Awaited<ReturnType<Lists['instance']>>['items'],
): Promise<readonly Gap[]> {
  const partitions = items.flatMap(({ part }) => {
    const partition = part?.S?.split('#')[0] as Partition;
    return part?.S === shardPart(partition, row) ? [partition] : [];
  });
  const found: Gap[] = [];
  for (const partition of partitions) {
    const shards = await source.shardsOf(row.instance, partition);
    for (const node of shards.find(({ first, last }) => first === row.first && last === row.last)?.nodes ?? []) {
      if (node.kind !== 'gap' || /^(?:unobserved|warning) /.test(node.why)) continue;
      const { id, why, lost, detail } = node;
      const request = partition.startsWith('~') ? {} : { requestId: partition };
      const told = { node: id, why, lost, ...(detail === undefined ? {} : { detail }), ...request };
      found.push({ ...gapOf(row), kind: 'gap', ...told });
    }
  }
  return found;
}

const gapOf = ({ at, received, fn, instance }: ListRow) => {
  return { at, ...(received === undefined ? {} : { received }), function: fn, instanceId: instance };
};
