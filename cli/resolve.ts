/** What somebody holds, as a node: an id of one, or an address, a name, a path that leads to one. */
import { isIP } from 'node:net';
import type { Search } from './answers.ts';
import type { Api, Query } from './api.ts';
import { safe } from './screen.ts';
import { UsageError } from './usage.ts';

export type Hit = Search['results'][number];

const NODE = /^(?:function|instance|request|process|file|image-tree|endpoint|exchange|resource|client|gap):./;

/** What a text looks like, in words; the API finds out itself what it is. */
export function lookOf(text: string): string {
  const looks: readonly (readonly [RegExp, string])[] = [
    [NODE, 'a node'],
    [/^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i, 'an id of a request, an instance or a message'],
    [/^(?:\d{1,3}\.){3}\d{1,3}\/\d+$|^[0-9a-f:]*::?[0-9a-f:]*\/\d+$/i, 'a range of addresses'],
    [/^(?:\d{1,3}\.){3}\d{1,3}$|^(?=.*:.*:)[0-9a-f:.]+$/i, 'an address'],
    [/^(?:[0-9a-f]{16}|[0-9a-f]{64})$/i, 'a digest of content'],
    [/(?:^|Root=)1-[0-9a-f]{8}-[0-9a-f]{24}/, 'a trace id'],
    [/^[a-z][a-z0-9+.-]*:\/\//i, 'a URL'],
    [/^arn:|^(?:s3|ddb|sqs|sns|lambda|kinesis|event|events|sfn|apigw|url):/, 'a resource or the id of a service'],
    [/[*?]/, 'a pattern'],
    [/^\//, 'a path'],
    [/^\.?(?:[a-z0-9_-]+\.)+[a-z0-9-]+$/i, 'a host or a file'],
  ];
  return looks.find(([pattern]) => pattern.test(text))?.[1] ?? 'a word';
}

/** The index, and where it knows nothing the graphs of the time range. */
export async function seek(api: Api, q: string, query: Query = {}): Promise<Search> {
  const first = await api.get<Search>('search', { q, ...query }, ['results', 'cut'], `looking for ${safe(q, 40)}`);
  if (first.results.length > 0 || first.scanned !== undefined || query.scan !== undefined) return first;
  const scan = { q, ...query, scan: 'always' };
  return await api.get<Search>('search', scan, ['results', 'cut'], `looking through graphs for ${safe(q, 40)}`);
}

export interface Found {
  readonly node: string;
  readonly kind: string;
}

/** Of what is found by one text, what is meant first. */
const ORDER = ['instance', 'request', 'endpoint', 'resource', 'file', 'process', 'exchange', 'gap', 'function', 'image-tree'];
const NAMED = 10;

/**
 * The one node that a text means. A client is outside of everything that is recorded: its requests stand for it.
 * @returns nothing when nothing is known of it
 * @throws UsageError naming the nodes when it may mean several, and what to ask of a client
 */
export async function resolve(api: Api, text: string): Promise<Found | undefined> {
  if (text.startsWith('client:')) {
    const [address = ''] = text.slice('client:'.length).split(':');
    const instead = `alastor trace '${safe(text, 200)}' --reached tells what it caused, alastor search ${safe(address, 60)} its requests`;
    throw new UsageError(`a client is outside of all that is recorded, so nothing leads to it; ${instead}`);
  }
  if (NODE.test(text)) return { node: text, kind: text.slice(0, text.indexOf(':')) };
  const { results } = await seek(api, text);
  const hits = results.flatMap((hit) => (hit.kind === 'client' ? requestsOf(hit) : [hit]));
  const found = meant(text, isIP(text) === 0 ? hits : hits.map(hostOf));
  const [first] = found;
  if (found.length > 1) {
    const lines = found.slice(0, NAMED).map(({ node }) => `  ${safe(node)}`);
    const more = found.length > NAMED ? [`  and ${found.length - NAMED} more: alastor search`] : [];
    // What all of them led to needs no choice.
    const all = isIP(text) !== 0 && found.every(({ kind }) => kind === 'request');
    const together = all
      ? [`or ask what all of them led to: alastor trace client:${text.replaceAll(':', '%3A')} --reached`]
      : [];
    const choice = [...lines, ...more, ...together].join('\n');
    throw new UsageError(`"${safe(text, 200)}" may mean ${found.length} things; name one:\n${choice}`);
  }
  if (first !== undefined && !first.node.endsWith(`:${text}`))
    process.stderr.write(`alastor: ${safe(text, 200)} is ${safe(first.node)}\n`);
  return first;
}

function meant(text: string, hits: readonly Found[]): readonly Found[] {
  const named = hits.filter(
    ({ node, kind }) => node === `${kind}:${text}` || (kind === 'request' && node.endsWith(`:${text}`)),
  );
  const best = ORDER.find((kind) => hits.some((hit) => hit.kind === kind));
  const all = named.length > 0 ? named : hits.filter(({ kind }) => kind === best);
  return [...new Map(all.map((hit) => [hit.node, hit])).values()];
}

/** An address is known by the exchanges with it; the host that they were with is what an investigator means. */
function hostOf(hit: Found & { readonly label?: string }): Found {
  const host = hit.kind === 'exchange' ? /^[A-Z]+ https?:\/\/([^/:]+)[/:]/.exec(hit.label ?? '')?.[1] : undefined;
  return host === undefined ? hit : { node: `endpoint:${host}`, kind: 'endpoint' };
}

const requestsOf = ({ seen }: Hit): readonly Found[] =>
  seen.map(({ instanceId, requestId }) => ({ node: `request:${instanceId}:${requestId}`, kind: 'request' }));
