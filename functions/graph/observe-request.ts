import type { AuditRecord, JoinKey, RequestBeginObservation, RequestEndObservation } from '../../layers/record/types.ts';
import { type Draft, indexed } from './draft.ts';
import { clientId, instanceId, linkKey } from './ids.ts';

export function observeBegin(draft: Draft, record: AuditRecord & RequestBeginObservation): void {
  const { req, trigger, resources, event, traceId } = record;
  if (req === null) return;
  const { t } = draft;
  // The platform's own id is a join key whatever the event's shape told: every invocation answers with it. Not so in a container
  // that serves HTTP: there the caller has chosen the id.
  const own: JoinKey = { key: `lambda:${req}`, sure: 'exact' };
  const known = record.fnArn.startsWith('http:') || record.keys.some(({ key }) => key === own.key);
  const keys = known ? record.keys : [own, ...record.keys];
  const request = draft.request();
  const { node } = request;
  node.begin = t;
  node.trigger = trigger;
  node.keys = keys;
  if (event.sha256 !== undefined) node.eventSha = event.sha256;
  const { instance, fn, partition } = draft;
  draft.edge(draft.node({ kind: 'instance', id: instanceId(instance), instance, fn, first: t, last: t }), 'serves', request);

  if (trigger.type === 'http' || trigger.type === 'alb') {
    const { sourceIp = '', userAgent = '' } = trigger;
    const id = clientId(sourceIp, userAgent);
    draft.edge(draft.node({ kind: 'client', id, sourceIp, userAgent, first: t, last: t }), 'invoke', request);
    if (sourceIp !== '') draft.link('endpoint', linkKey('addr', sourceIp), 'at', request);
  }
  for (const resource of resources) {
    const touched = draft.resource(resource, t, t);
    const { type, access } = resource;
    if (access === 'call') continue;
    draft.edge(touched, 'event', request);
    if (type === 's3-object' || type === 'table-item') draft.linkOwn('resource', 'in', touched);
  }
  for (const key of indexed(keys, resources)) draft.join(key, 'in', request);
  const source = trigger.source ?? trigger.path;
  draft.requests.push({
    ...{ instance, fn, partition, at: t, trigger: trigger.type },
    ...(source === undefined ? {} : { source }),
    ...(traceId === undefined ? {} : { traceId }),
  });
}

export function observeEnd(draft: Draft, record: AuditRecord & RequestEndObservation): void {
  if (record.req === null) return;
  const { status, errorType, response, keys } = record;
  const request = draft.request();
  const { node } = request;
  node.end = draft.t;
  node.status = status;
  if (errorType !== undefined) node.errorType = errorType;
  if (response.sha256 !== undefined) node.responseSha = response.sha256;
  if (keys !== undefined) node.results = keys;
  // Its result is a cause of whatever a service hands it on to.
  for (const key of keys ?? []) draft.join(key, 'out', request);
}
