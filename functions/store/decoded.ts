import type { Shard } from '../graph/shard.ts';
import { decodeShard, type ShardPlace } from './encode.ts';

/** Bytes of shards as stored that are kept decoded, which takes some twenty times as much memory. */
const MOST_BYTES = 1024 * 1024;
/** Larger ones come from floods, and are seldom asked for twice. */
const LARGEST = 16 * 1024;

/**
 * Shards that were decoded lately: an investigation asks again and again about the same requests. They are read from the table
 * each time, and only what has the very same bytes is not decoded anew.
 */
export class DecodedShards {
  readonly #known = new Map<string, { readonly data: Uint8Array; readonly shard: Shard }>();
  #bytes = 0;

  shard(data: Uint8Array, of: ShardPlace): Shard {
    const key = `${of.partition}\n${of.segment}`;
    const known = this.#known.get(key);
    if (known !== undefined && Buffer.compare(known.data, data) === 0) return { ...known.shard, ...of };
    const shard = decodeShard(data, of);
    if (data.length > LARGEST) return shard;
    this.#bytes += data.length - (known?.data.length ?? 0);
    // Deleted first, so that what was decoded last stands last.
    this.#known.delete(key);
    this.#known.set(key, { data, shard });
    for (const [oldest, { data: old }] of this.#known) {
      if (this.#bytes <= MOST_BYTES) break;
      this.#known.delete(oldest);
      this.#bytes -= old.length;
    }
    return shard;
  }
}
