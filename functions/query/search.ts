import { z } from 'zod';
import { hostId, joinLink, type LinkKey, linkKey, type NodeId, ownKey, requestId, resourceId } from '../graph/ids.ts';
import { label } from '../graph/label.ts';
import { matcher, SUBJECTS, subjectsOf } from '../graph/match.ts';
import type { Evidence } from '../graph/model.ts';
import { addressKey, hostKey } from '../graph/observe-network.ts';
import type { Link } from '../graph/shard.ts';
import type { Store } from '../store/connect.ts';
import { readCursor, writeCursor } from './cursor.ts';
import { limit, read, time } from './parameters.ts';
import { Problem } from './problem.ts';
import type { Route } from './routes.ts';
import { scan } from './scan.ts';

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

/** Days looked through when no time range is given. */
const SCANNED_DAYS = 7;
const DAY = 86_400_000_000;

export const searchQuery = z.object({
  ...{ q: z.string().trim().min(1, 'must not be empty').max(1000).optional(), as: z.enum(SUBJECTS).optional() },
  scan: z.enum(['auto', 'always', 'never']).default('auto'),
  ...{ function: z.string().max(200).optional(), since: time.optional(), until: time.optional() },
  ...{
    limit: limit(100, 500),
    graphs: limit(500, 5000),
    milliseconds: z.coerce.number().int().min(1).max(20_000).default(10_000),
  },
  cursor: z.string().max(6000).optional(),
});

const micros = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
/** The question, its time range, which must not move between pages, and where the list goes on. */
const scanPlace = z.object({
  ...{ q: z.string().max(1000), as: z.enum(SUBJECTS).optional(), fn: z.string().max(200).optional() },
  ...{ since: micros, until: micros, at: z.tuple([z.string().regex(/^\d{4}-\d\d-\d\dT\d\d$/), z.string().min(1).max(400)]) },
});

const INDEX_ONLY =
  'scan: only the index was asked, which has no programs and arguments, subdomains, parts of URLs or small bodies; scan=always looks for them';

/** No index has these: ranges, patterns, subdomains, parts of URLs, digests of small bodies. */
function needsScan(q: string): boolean {
  return (
    /[*?]/.test(q) ||
    q.startsWith('.') ||
    /^[0-9a-f]{16}$|^[0-9a-f]{64}$/i.test(q) ||
    (/\/\d{1,3}$/.test(q) && matcher(q, 'address') !== undefined)
  );
}

/**
 * Whatever an investigator holds: host, address or range, URL, path or pattern, program or argument, digest, request id,
 * instance id, trace id, resource, a service's id (`sqs:…` or the bare message id), a node id. The links table is the index, so
 * that costs one look-up per way to read the text. What it cannot answer is looked for in the graphs of a time range.
 */
export const search: Route = async ({ query, store }) => {
  const asked = read(searchQuery, query);
  const place = asked.cursor === undefined ? undefined : readCursor(asked.cursor, scanPlace);
  const q = place?.q ?? asked.q;
  if (q === undefined) throw new Problem(400, 'Invalid parameter', 'q: is required', 'q');
  if (place !== undefined && asked.q !== undefined && asked.q !== q) {
    throw new Problem(400, 'Invalid parameter', 'q: is not what the cursor was given for; leave it out', 'q');
  }
  const as = place === undefined ? asked.as : place.as;
  if (as !== undefined && matcher(q, as) === undefined) {
    throw new Problem(400, 'Invalid parameter', `q: cannot be looked for as ${as}`, 'q');
  }
  const hits = new Map<NodeId, Hit>();
  const cut: string[] = [];
  if (place === undefined && as !== 'process') await askIndex(q, asked.limit, store, hits, cut);
  const scans = place !== undefined || asked.scan === 'always' || (asked.scan === 'auto' && (as !== undefined || needsScan(q)));
  if (!scans) return { results: [...hits.values()], cut: asked.scan === 'auto' ? [...cut, INDEX_ONLY] : cut };

  const now = Date.now() * 1000;
  const until = place?.until ?? asked.until ?? now;
  const since = place?.since ?? asked.since ?? Math.max(0, until - SCANNED_DAYS * DAY);
  const fn = place === undefined ? asked.function : place.fn;
  const matchers = (as === undefined ? subjectsOf(q) : [as]).flatMap((subject) => matcher(q, subject) ?? []);
  const found = await scan(store, (node) => matchers.some((matches) => matches(node)), {
    ...{ since, until, most: asked.limit, graphs: asked.graphs, deadline: Date.now() + asked.milliseconds },
    ...(fn === undefined ? {} : { fn }),
    ...(place === undefined ? {} : { after: { hour: place.at[0], place: place.at[1] } }),
  });
  for (const { node, shard, evidence } of found.hits) {
    const { instance, fn: name, partition } = shard;
    const link = {
      node: node.id,
      instance,
      fn: name,
      partition,
      t: node.first,
      ...(evidence === undefined ? {} : { evidence }),
    };
    add(hits, { node: node.id, kind: node.kind, label: label(node), key: 'scan' as LinkKey }, link, node.last);
  }
  const next =
    found.next === undefined
      ? undefined
      : writeCursor({ q, as, fn, since, until, at: [found.next.hour, found.next.place] } satisfies z.input<typeof scanPlace>);
  if (next !== undefined)
    cut.push(`scan: ${found.graphs} graphs were looked through, older ones not yet; ask again with cursor`);
  return {
    results: [...hits.values()],
    scanned: { since, until, graphs: found.graphs, ...(found.reached === undefined ? {} : { reached: found.reached }) },
    ...(next === undefined ? {} : { cursor: next }),
    cut,
  };
};

async function askIndex(q: string, most: number, store: Store, hits: Map<NodeId, Hit>, cut: string[]): Promise<void> {
  for (const [key, shared] of readings(q)) {
    const page = await store.source.linksOf(key, { limit: most });
    if (page.cut) cut.push(`${key}: older ones than the newest ${most}`);
    for (const link of page.links) {
      if (shared !== undefined) add(hits, { ...link, ...shared }, link);
      if (shared?.node !== link.node) add(hits, link, link);
    }
  }
  const root = /(?:^|[:=])(1-([0-9a-f]{8})-[0-9a-f]{24})(?:;|$)/.exec(q);
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
  if (/^[0-9a-f]{8}-[0-9a-f-]{27}$/.test(q)) {
    const { segments } = await store.lists.instance(q as Link['instance']);
    const [first] = segments;
    const last = segments.at(-1);
    if (first && last) {
      const node = `instance:${q}` as NodeId;
      const hit = { node, kind: 'instance', label: first.fn, key: q, first: first.from, last: last.to } as const;
      hits.set(node, { ...hit, count: segments.length, seen: [] });
    }
  }
}

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
    [ownKey(resource.node), resource],

    [joinLink(q), undefined],
    // Digest of a body, where it left or came in.
    ...(/^(?:[0-9a-f]{16}|[0-9a-f]{64})$/.test(q) ? [[linkKey('body', q), undefined] as const] : []),
    // A version of an object is found as such; see `indexed`.
    ...(/^s3:[^/]/.test(q) ? [[ownKey(resourceId(`s3://${q.slice(3)}`)), undefined] as const] : []),
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
  { t, evidence, ...link }: Pick<Link, 'node' | 'instance' | 'fn' | 'partition' | 't'> & { readonly evidence?: Evidence },
  last = t,
): void {
  let hit = hits.get(what.node);
  if (hit === undefined) {
    const { node, kind, label: named, key } = what;
    hit = { node, kind, label: named, key, first: t, last, count: 0, seen: [] };
    hits.set(node, hit);
  }
  hit.first = Math.min(hit.first, t);
  hit.last = Math.max(hit.last, last);
  hit.count++;
  const place = { requestId: link.partition, instanceId: link.instance, function: link.fn };
  if (hit.seen.length >= SEEN_KEPT) return;
  hit.seen.push({ node: link.node, at: t, ...place, ...(evidence === undefined ? {} : { evidence }) });
}
