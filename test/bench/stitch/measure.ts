/** One size: so many requests through the stitcher's own steps into a store, then the same questions every time. */
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { buildShards } from '../../../functions/graph/build.ts';
import { hostId } from '../../../functions/graph/ids.ts';
import { DEFAULT_BUDGET, Provenance } from '../../../functions/graph/provenance.ts';
import { walk } from '../../../functions/graph/walk.ts';
import { answer } from '../../../functions/query/routes.ts';
import type { Store } from '../../../functions/store/connect.ts';
import { compressText, shardText } from '../../../functions/store/encode.ts';
import { decodeSegment } from '../../../layers/record/codec.ts';
import { segmentDigest } from '../../../layers/record/key.ts';
import { quantile } from '../statistics.ts';
import type { Turns } from './memory-table.ts';
import type { Recording } from './record.ts';
import type { Replay } from './replay.ts';

/** Messages that the queue hands over at once; see `batchSize` in cdk/stitcher.ts. */
const BATCH = 10;
const QUESTIONS = 40;

export interface Written {
  readonly writeUnits: number;
  readonly items: number;
  readonly bytes: number;
}

/** One question, asked many times. */
export interface Asked {
  /** ms by the clock, and of this process's CPU; with the store in memory, the store's is in it. */
  readonly median: number;
  readonly p95: number;
  readonly cpu: number;
  /** Queries of the tables; how many had to wait for another one's answer is known of the store in memory only. */
  readonly queries: number;
  readonly inARow: number;
  /** Queries of the same question with nothing loaded in advance: the others are in vain, or twice what was wanted once. */
  readonly needed?: number;
}

export interface Size {
  readonly requests: number;
  readonly store: string;
  readonly segments: number;
  readonly records: number;
  /** Records per second of one core's time. */
  readonly perCore: { readonly [step in 'decode' | 'build' | 'decodeAndBuild' | 'json' | 'compress' | 'write']: number };
  readonly perRequest: Written;
  /** RSS of the stitching process at its highest, MB; with the store in memory that is in it. */
  readonly peakMb: number;
  readonly seconds: number;
  readonly trace: Asked & { readonly nodes: number };
  readonly story: Asked & { readonly steps: number };
  readonly stats: Asked;
}

/** CPU of this process so far, µs. */
function cpu(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

export interface Measured {
  readonly name: string;
  readonly store: Store;
  readonly written: () => Promise<Written>;
  readonly turns: Pick<Turns, 'queries' | 'inARow'>;
}

export async function measure(
  requests: number,
  { name, store, written, turns }: Measured,
  replay: Replay,
  recording: Recording,
  say: (line: string) => void,
): Promise<Size> {
  const from = performance.now();
  const used = { decode: 0, build: 0, json: 0, compress: 0, write: 0 };
  let [segments, records, shards, peak, told] = [0, 0, 0, 0, from];
  const put = async (batch: readonly { readonly key: string; readonly bytes: Uint8Array; readonly received: number }[]) => {
    let at = cpu();
    const next = (step: keyof typeof used) => {
      const now = cpu();
      used[step] += now - at;
      at = now;
    };
    const decoded = batch.map(({ bytes, key }) => decodeSegment(bytes, key));
    next('decode');
    const built = decoded.map((segment, i) => buildShards(segment, batch[i]?.key ?? ''));
    next('build');
    // Once more for itself, on every 8th batch: the writer does both for each shard.
    if (segments % (8 * BATCH) === 0) {
      const texts = built.flatMap((one) => one.shards.map(shardText));
      next('json');
      for (const text of texts) compressText(text);
      next('compress');
      shards += decoded.reduce((sum, one) => sum + one.records.length, 0);
      at = cpu();
    }
    await Promise.all(built.map((one, i) => store.writer.put(one, segmentDigest(batch[i]!.bytes), batch[i]!.received)));
    await store.writer.settle();
    next('write');
    segments += batch.length;
    records += decoded.reduce((sum, one) => sum + one.records.length, 0);
    peak = Math.max(peak, process.memoryUsage.rss());
    if (performance.now() - told > 5000) {
      told = performance.now();
      say(`${name}, ${requests} requests: ${segments} segments`);
    }
  };
  for (let i = 0; i < recording.attack.length; i += BATCH) await put(recording.attack.slice(i, i + BATCH));
  let batch: Parameters<typeof put>[0][number][] = [];
  for (const segment of replay.segments(requests)) {
    batch.push(segment);
    if (batch.length === BATCH) {
      await put(batch);
      batch = [];
    }
  }
  if (batch.length > 0) await put(batch);
  const seconds = (performance.now() - from) / 1000;
  say(`${name}, ${requests} requests: asking`);
  const node = hostId(recording.exfilHosts[0] ?? '');
  const ask = async (path: string, query: Record<string, string>, alone?: (graph: Provenance) => Promise<object>) => {
    const times: number[] = [];
    const used: number[] = [];
    let last: object = {};
    const { queries, inARow } = turns;
    for (let i = 0; i < QUESTIONS; i++) {
      const [before, busy] = [performance.now(), cpu()];
      last = await answer(path, new URLSearchParams(query), store);
      times.push(performance.now() - before);
      used.push((cpu() - busy) / 1000);
    }
    const each = { queries: (turns.queries - queries) / QUESTIONS, inARow: (turns.inARow - inARow) / QUESTIONS };
    const before = turns.queries;
    await alone?.(new Provenance(store.source, DEFAULT_BUDGET, 'alone'));
    if (alone !== undefined) Object.assign(each, { needed: turns.queries - before });
    const warm = times.slice(5);
    const asked: Asked = { median: quantile(warm, 0.5), p95: quantile(warm, 0.95), cpu: quantile(used.slice(5), 0.5), ...each };
    return { asked, last };
  };
  const trace = await ask('/v1/trace', { node, direction: 'backward' }, async (graph) => {
    await graph.find(node);
    return await walk(graph, node, { direction: 'backward', limit: 500 });
  });
  const story = await ask('/v1/path', { node });
  const stats = await ask('/v1/stats', {});
  const asked = (stats.last as { requests: number }).requests;
  const all = await written();
  const rate = (us: number, of = records) => Math.round((of / us) * 1e6);
  return {
    ...{ requests: asked, store: name, segments, records, seconds },
    perCore: {
      ...{ decode: rate(used.decode), build: rate(used.build), decodeAndBuild: rate(used.decode + used.build) },
      ...{ json: rate(used.json, shards), compress: rate(used.compress, shards), write: rate(used.write) },
    },
    perRequest: { writeUnits: all.writeUnits / asked, items: all.items / asked, bytes: all.bytes / asked },
    peakMb: peak / 1e6,
    trace: { ...trace.asked, nodes: (trace.last as { nodes: object[] }).nodes.length },
    story: { ...story.asked, steps: (story.last as { steps: object[] }).steps.length },
    stats: stats.asked,
  };
}

/** Write units that the service says a client used, and queries that it made. */
export function countUnits(client: DynamoDBClient): { units: number; queries: number; inARow: number } {
  const counted = { units: 0, queries: 0, inARow: 0 };
  client.middlewareStack.add(
    (next, context) => async (args) => {
      if (context.commandName === 'QueryCommand') counted.queries++;
      if (!/^(?:BatchWrite|Put|Update)Item/.test(context.commandName ?? '')) return await next(args);
      Object.assign(args.input, { ReturnConsumedCapacity: 'TOTAL' });
      const result = await next(args);
      const { ConsumedCapacity: used } = result.output as {
        ConsumedCapacity?: { CapacityUnits?: number } | { CapacityUnits?: number }[];
      };
      for (const { CapacityUnits = 0 } of [used ?? []].flat()) counted.units += CapacityUnits;
      return result;
    },
    { step: 'initialize' },
  );
  return counted;
}
