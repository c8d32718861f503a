import type { AuditRecord, RequestBeginObservation, RequestEndObservation } from '../../layers/record/types.ts';
import { type Draft, indexed } from './draft.ts';
import { clientId, instanceId, joinLink, linkKey, partitionOf, resourceId } from './ids.ts';

export function observeBegin(draft: Draft, record: AuditRecord & RequestBeginObservation): void {
  if (record.req === null) return;
  const { t: start, trigger } = record;
  const partition = partitionOf(record);
  // The platform's own id is a join key whatever the event's shape told: every invocation answers with it. Not so in a container
  // that serves HTTP: there the caller has chosen the id.
  const own = { key: `lambda:${record.req}`, sure: 'exact' } as const;
  const known = record.fnArn.startsWith('http:') || record.keys.some(({ key }) => key === own.key);
  const keys = known ? record.keys : [own, ...record.keys];
  const request = draft.request(record, {
    ...{ begin: start, trigger, keys },
    ...(record.event.sha256 === undefined ? {} : { eventSha: record.event.sha256 }),
  });
  const { instance, fn } = draft;
  const seen = { first: start, last: start };
  const home = draft.node(partition, { kind: 'instance', id: instanceId(instance), instance, fn, ...seen });
  draft.edge(record, { from: home, to: request, op: 'serves', start });

  if (trigger.type === 'http' || trigger.type === 'alb') {
    const sourceIp = trigger.sourceIp ?? '';
    const userAgent = trigger.userAgent ?? '';
    const client = draft.node(partition, { kind: 'client', id: clientId(sourceIp, userAgent), sourceIp, userAgent, ...seen });
    draft.edge(record, { from: client, to: request, op: 'invoke', start });
    if (sourceIp !== '') draft.link('endpoint', record, { key: linkKey('addr', sourceIp), direction: 'at', node: request });
  }
  for (const { type, id, access } of record.resources) {
    const node = draft.node(partition, { kind: 'resource', id: resourceId(id), type, resource: id, ...seen });
    if (access === 'call') continue;
    draft.edge(record, { from: node, to: request, op: 'event', start });
    if (type === 's3-object' || type === 'table-item')
      draft.link('resource', record, { key: linkKey(node), direction: 'in', node });
  }
  for (const { key, sure } of indexed(keys, record.resources))
    draft.link('join', record, { key: joinLink(key), direction: 'in', node: request, sure });
  draft.requests.push({
    ...{ instance, fn, partition, at: start, trigger: trigger.type },
    ...(trigger.source === undefined && trigger.path === undefined ? {} : { source: trigger.source ?? trigger.path ?? '' }),
    ...(record.traceId === undefined ? {} : { traceId: record.traceId }),
  });
}

export function observeEnd(draft: Draft, record: AuditRecord & RequestEndObservation): void {
  if (record.req === null) return;
  const node = draft.request(record, {
    ...{ end: record.t, status: record.status },
    ...(record.errorType === undefined ? {} : { errorType: record.errorType }),
    ...(record.response.sha256 === undefined ? {} : { responseSha: record.response.sha256 }),
    ...(record.keys === undefined ? {} : { results: record.keys }),
  });
  // Its result is a cause of whatever a service hands it on to.
  for (const { key, sure } of record.keys ?? [])
    draft.link('join', record, { key: joinLink(key), direction: 'out', node, sure });
}
