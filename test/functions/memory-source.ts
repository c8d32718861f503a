import { buildShards } from '../../functions/graph/build.ts';
import { Provenance } from '../../functions/graph/provenance.ts';
import type { Built } from '../../functions/graph/shard.ts';
import type { GraphSource } from '../../functions/graph/source.ts';
import type { Recorded } from './scenario.ts';

/** The graph's source interface over what the builder made, for tests of the walks alone. */
export function memorySource(built: readonly Built[]): GraphSource {
  const shards = built.flatMap((one) => one.shards);
  const links = built.flatMap((one) => one.links);
  return {
    shardsOf: async (instance, partition) => shards.filter((one) => one.instance === instance && one.partition === partition),
    linksOf: async (key, { after = 0, before = Number.MAX_SAFE_INTEGER, order = 'newest', limit }) => {
      const sign = order === 'newest' ? -1 : 1;
      const found = links
        .filter((one) => one.key === key && one.t >= after && one.t <= before)
        .sort((a, b) => sign * (a.t - b.t));
      return { links: found.slice(0, limit), cut: found.length > limit };
    },
  };
}

export function provenanceOf(instances: readonly Recorded[], cuts: readonly number[] = []): Provenance {
  const built = instances.flatMap((one) => one.segments(cuts).map(({ segment, key }) => buildShards(segment, key)));
  return new Provenance(memorySource(built));
}
