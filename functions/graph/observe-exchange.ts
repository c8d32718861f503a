import type { AuditRecord, BodyDigest, ExchangeObservation } from '../../layers/record/types.ts';
import { contentKeys, PARTS } from './content.ts';
import { type Draft, indexed, type Mutable } from './draft.ts';
import { exchangeId, joinLink, linkKey, type NodeId, partitionOf, resourceId } from './ids.ts';
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
  const partition = partitionOf(record);
  const { request, response } = record;
  const node: Mutable<ExchangeNode> = {
    ...{ kind: 'exchange', id: exchangeId(draft.instance, partition, record.id), instance: draft.instance, partition },
    ...{ first: start, last: end, method: record.method, scheme: record.scheme, host: record.host, port: record.port },
    ...{ path: record.path, sent: request.bytes, received: response.bytes, keys: record.keys },
  };
  if (status !== undefined) node.status = status;
  if (record.addr !== undefined) node.addr = record.addr;
  if (record.error !== undefined) node.error = record.error;
  if (record.aws !== undefined) node.aws = record.aws;
  if (request.sha256 !== undefined) node.sentSha = request.sha256;
  if (response.sha256 !== undefined) node.receivedSha = response.sha256;
  if (request.parts !== undefined) node.sentParts = request.parts.slice(0, PARTS);
  if (response.parts !== undefined) node.receivedParts = response.parts.slice(0, PARTS);
  const exchange = draft.node(partition, node);
  const sent = request.bytes;
  const got = response.bytes;
  const actor = draft.actor(record);
  const sure = record.proc === undefined ? 'inferred' : 'exact';
  draft.edge(record, {
    from: actor,
    to: exchange,
    op: 'request',
    start,
    end: sent > WHOLE_BODY ? end : start,
    bytes: sent,
    sure,
  });
  if (status !== undefined)
    draft.edge(record, { from: exchange, to: actor, op: 'response', start: back, end: returned, bytes: got, sure });

  if (!isKnownService(record)) {
    const peer = endpointHost(draft, record, record.host, record.port, record.addr);
    draft.edge(record, { from: exchange, to: peer, op: 'send', start, end, bytes: sent });
    if (status !== undefined)
      draft.edge(record, { from: peer, to: exchange, op: 'reply', start: back, end: returned, bytes: got });
    draft.link('endpoint', record, { key: hostKey(record.host), direction: 'at', node: exchange, t: start });
    if (record.addr !== undefined) linkAddress(draft, record, record.addr, exchange, start);
  }
  for (const { type, id, access } of record.resources) {
    const node = draft.node(partition, {
      ...{ kind: 'resource', id: resourceId(id), type, resource: id, first: start, last: end },
    });
    if (access === 'read') draft.edge(record, { from: node, to: exchange, op: 'read', start: back, end: returned, bytes: got });
    else draft.edge(record, { from: exchange, to: node, op: access, start, end, bytes: sent });
    draft.link('resource', record, { key: linkKey(node), direction: access === 'read' ? 'in' : 'out', node, t: start });
  }
  linkContent(draft, record, exchange, returned);
  // What only reads (an object, an item, messages of a queue) is an effect of whoever wrote it.
  const reads = record.resources.length > 0 && record.resources.every(({ access }) => access === 'read');
  for (const { key, sure: how } of indexed(record.keys, record.resources)) {
    const direction = reads ? 'in' : 'out';
    draft.link('join', record, { key: joinLink(key), direction, node: exchange, t: reads ? returned : start, sure: how });
  }
}

/** Content is looked for where data leaves, comes in, or lies in bulk; other calls of services are told by their keys. */
function linkContent(draft: Draft, record: AuditRecord & ExchangeObservation, node: NodeId, returned: number): void {
  const { request, response, from } = record;
  const counts = (body: BodyDigest) => !isKnownService(record) || (record.aws?.service === 's3' && body.parts !== undefined);
  for (const key of counts(request) ? contentKeys(request) : [])
    draft.link('content', record, { key, direction: 'out', node, t: from });
  for (const key of counts(response) ? contentKeys(response) : [])
    draft.link('content', record, { key, direction: 'in', node, t: returned });
}

/** A call whose peer is the service itself, told by its resources and keys better than by a host name. */
function isKnownService(record: Pick<ExchangeObservation, 'host' | 'aws' | 'keys' | 'resources'>): boolean {
  if (isLoopback(record.host)) return record.aws !== undefined || record.keys.length + record.resources.length > 0;
  return record.aws !== undefined && AWS_HOST.test(record.host) && !TENANT_HOST.test(record.host);
}
