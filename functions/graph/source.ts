import type { InstanceId } from '../../layers/record/types.ts';
import type { LinkKey, Partition } from './ids.ts';
import type { Link, Shard } from './shard.ts';

export interface LinkRange {
  /** µs, inclusive. */
  readonly after?: number;
  readonly before?: number;
  /** Which end to begin with, default `newest`. */
  readonly order?: 'newest' | 'oldest';
  readonly limit: number;
}

export interface LinkPage {
  readonly links: readonly Link[];
  /** There are more in the range than were asked for. */
  readonly cut: boolean;
}

/** All that a walk needs of the store. Nothing is loaded before a walk comes to it. */
export interface GraphSource {
  shardsOf(instance: InstanceId, partition: Partition): Promise<readonly Shard[]>;
  linksOf(key: LinkKey, range: LinkRange): Promise<LinkPage>;
}
