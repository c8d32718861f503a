import type { AuditRecord, BodyDigest, ExchangeObservation } from '../../layers/record/types.ts';
import { contentKeys, PARTS } from './content.ts';
import { type Draft, indexed } from './draft.ts';
import type { Mutable } from './draft-part.ts';
import { exchangeId } from './ids.ts';
import type { ExchangeNode } from './model.ts';
import { endpointHost, hostKey, isLoopback, linkAddress } from './observe-network.ts';

/** A request body up to this size is taken to have been whole when sending began; a larger one may be made while it is sent. */
const WHOLE_BODY = 64 * 1024;

const AWS_HOST = /(?:^|\.)(?:amazonaws\.com(?:\.cn)?|api\.aws|localhost\.localstack\.cloud)$/;
/** Names under these are handed out to anybody, so the name matters even when the call is understood. */
const TENANT_HOST = /\.(?:execute-api|lambda-url|s3-website)[.-]/;

export function observeExchange(draft: Draft, record: AuditRecord & ExchangeObservation): void {
  const { from: start, status } = record;
  const end = Math.max(start, record.to);
  // What came back cannot have caused what was sent, even when both bear the same microsecond.
  const back = Math.max(Math.min(record.answered ?? end, end), start + 1);
  const returned = Math.max(back, end);
  const { instance, partition } = draft;
  const { request, response, resources } = record;
  const node: Mutable<ExchangeNode> = {
    kind: 'exchange',
    id: exchangeId(instance, partition, record.id),
    instance,
    partition,
    first: start,
    last: end,
    method: record.method,
    scheme: record.scheme,
    host: record.host,
    port: record.port,
    path: record.path,
    sent: request.bytes,
    received: response.bytes,
    keys: record.keys,
  };
  if (status !== undefined) node.status = status;
  if (record.addr !== undefined) node.addr = record.addr;
  if (record.error !== undefined) node.error = record.error;
  if (record.aws !== undefined) node.aws = record.aws;
  if (request.sha256 !== undefined) node.sentSha = request.sha256;
  if (response.sha256 !== undefined) node.receivedSha = response.sha256;
  if (request.parts !== undefined) node.sentParts = request.parts.slice(0, PARTS);
  if (response.parts !== undefined) node.receivedParts = response.parts.slice(0, PARTS);
  const exchange = draft.exchange(record.id, node);
  const sent = request.bytes;
  const got = response.bytes;
  const actor = draft.actor();
  const sure = record.proc === undefined ? 'inferred' : 'exact';
  draft.edge(actor, 'request', exchange, start, sent > WHOLE_BODY ? end : start, sent, sure);
  if (status !== undefined) draft.edge(exchange, 'response', actor, back, returned, got, sure);

  const known = isKnownService(record);
  if (!known) {
    const peer = endpointHost(draft, record.host, record.port, record.addr);
    draft.edge(exchange, 'send', peer, start, end, sent);
    if (status !== undefined) draft.edge(peer, 'reply', exchange, back, returned, got);
    draft.link('endpoint', hostKey(record.host), 'at', exchange, start);
    if (record.addr !== undefined) linkAddress(draft, record.addr, exchange, start);
  }
  for (const resource of resources) {
    const { access } = resource;
    const touched = draft.resource(resource, start, end);
    if (access === 'read') draft.edge(touched, 'read', exchange, back, returned, got);
    else draft.edge(exchange, access, touched, start, end, sent);
    draft.linkOwn('resource', access === 'read' ? 'in' : 'out', touched, start);
  }
  // Content is looked for where data leaves, comes in, or lies in bulk; other calls of services are told by their keys.
  const counts = (body: BodyDigest) => !known || (record.aws?.service === 's3' && body.parts !== undefined);
  if (counts(request)) for (const key of contentKeys(request)) draft.link('content', key, 'out', exchange, start);
  if (counts(response)) for (const key of contentKeys(response)) draft.link('content', key, 'in', exchange, returned);
  // What only reads (an object, an item, messages of a queue) is an effect of whoever wrote it.
  const reads = resources.length > 0 && resources.every(({ access }) => access === 'read');
  for (const key of indexed(record.keys, resources)) draft.join(key, reads ? 'in' : 'out', exchange, reads ? returned : start);
}

/** A call whose peer is the service itself, told by its resources and keys better than by a host name. */
function isKnownService(record: Pick<ExchangeObservation, 'host' | 'aws' | 'keys' | 'resources'>): boolean {
  if (isLoopback(record.host)) return record.aws !== undefined || record.keys.length + record.resources.length > 0;
  return record.aws !== undefined && AWS_HOST.test(record.host) && !TENANT_HOST.test(record.host);
}
