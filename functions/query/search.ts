import { z } from 'zod';
import { hostId, joinLink, type LinkKey, linkKey, type NodeId, requestId, resourceId } from '../graph/ids.ts';
import { addressKey, hostKey } from '../graph/observe-network.ts';
import type { Link } from '../graph/shard.ts';
import { limit, read } from './parameters.ts';
import type { Route } from './routes.ts';

interface Hit {
  readonly node: NodeId;
  readonly kind: Link['kind'];
  readonly label: string;
  readonly key: string;
  first: number;
  last: number;
  count: number;
  /** Places where it was seen, newest first; a few. */
  readonly seen: object[];
}
const SEEN_KEPT = 20;

/**
 * Whatever an investigator holds: host, address, path, request id, instance id, resource, a service's id (`sqs:…` or the
 * bare message id), a node id. The links table is the index, so it costs one look-up per way to read the text.
 */
export const search: Route = async ({ query, store }) => {
  const asked = read(z.object({ q: z.string().trim().min(1).max(1000), limit: limit(100, 500) }), query);
  const hits = new Map<NodeId, Hit>();
  const cut: string[] = [];
  for (const [key, shared] of readings(asked.q)) {
    const page = await store.source.linksOf(key, { limit: asked.limit });
    if (page.cut) cut.push(`${key}: older ones than the newest ${asked.limit}`);
    for (const link of page.links) {
      if (shared !== undefined) add(hits, { ...link, ...shared }, link);
      if (shared?.node !== link.node) add(hits, link, link);
    }
  }
  const root = /(?:^|[:=])(1-([0-9a-f]{8})-[0-9a-f]{24})(?:;|$)/.exec(asked.q);
  if (root !== null) {
    const traced = await store.lists.traced(root[1] ?? '', Number.parseInt(root[2] ?? '', 16) * 1_000_000);
    if (traced.cut) cut.push(`trace ${root[1]}: later requests of it; ask for the workflow of these`);
    for (const { instance, fn, partition, at } of traced.entries) {
      const node = requestId(instance, partition);
      const seen = [{ node, at, requestId: partition, instanceId: instance, function: fn }];
      const hit = { node, kind: 'request', label: `${fn} ${partition}`, key: `trace:${root[1]}` } as const;
      hits.set(node, { ...hit, first: at, last: at, count: 1, seen });
    }
  }
  if (/^[0-9a-f]{8}-[0-9a-f-]{27}$/.test(asked.q)) {
    const { segments } = await store.lists.instance(asked.q as Link['instance']);
    const [first] = segments;
    const last = segments.at(-1);
    if (first && last) {
      const node = `instance:${asked.q}` as NodeId;
      const hit = { node, kind: 'instance', label: first.fn, key: asked.q, first: first.from, last: last.to } as const;
      hits.set(node, { ...hit, count: segments.length, seen: [] });
    }
  }
  return { results: [...hits.values()], cut };
};

/** Index keys the text may stand under, with the node that all their links share, if there is one. */
function readings(q: string): readonly (readonly [LinkKey, Pick<Hit, 'node' | 'kind' | 'label'> | undefined])[] {
  const host = hostname(q);
  const endpoint = { node: hostId(host), kind: 'endpoint', label: host.toLowerCase() } as const;
  const resource = { node: resourceId(q), kind: 'resource', label: q } as const;
  const services = ['lambda', 'sqs', 'sns', 'event', 'apigw', 'url', 's3req', 's3', 'ddb', 'kinesis', 'sfn'];
  return [
    [hostKey(host), endpoint],
    [addressKey(host), undefined],
    [linkKey('path', q), undefined],
    [linkKey(resource.node), resource],

    [joinLink(q), undefined],
    // A version of an object is found as such; see `indexed`.
    ...(/^s3:[^/]/.test(q) ? [[linkKey(resourceId(`s3://${q.slice(3)}`)), undefined] as const] : []),
    ...services.map((service) => [joinLink(`${service}:${q}`), undefined] as const),
  ];
}

/** The host of a URL, else the text itself. */
function hostname(q: string): string {
  return /^[a-z][a-z0-9+.-]*:\/\/(?:[^/@]*@)?(\[[^\]]+\]|[^/:?#]+)/i.exec(q)?.[1] ?? q;
}

function add(
  hits: Map<NodeId, Hit>,
  what: Pick<Link, 'node' | 'kind' | 'label' | 'key'>,
  { t, evidence, ...link }: Link,
): void {
  let hit = hits.get(what.node);
  if (hit === undefined) {
    const { node, kind, label, key } = what;
    hit = { node, kind, label, key, first: t, last: t, count: 0, seen: [] };
    hits.set(node, hit);
  }
  hit.first = Math.min(hit.first, t);
  hit.last = Math.max(hit.last, t);
  hit.count++;
  const place = { requestId: link.partition, instanceId: link.instance, function: link.fn };
  if (hit.seen.length < SEEN_KEPT) hit.seen.push({ node: link.node, at: t, ...place, evidence });
}
