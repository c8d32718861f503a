import type { AuditRecord, InstanceId, ProcessId, Segment } from '../../layers/record/types.ts';
import { Draft } from './draft.ts';
import { functionId, gapId, INIT, instanceId, linkKey, partitionOf, processId } from './ids.ts';
import { observeExchange } from './observe-exchange.ts';
import { observeChange, observeClose, observeOpen } from './observe-file.ts';
import { observeAccept, observeConnect, observeDns, observeSocketClose, observeTunnel } from './observe-network.ts';
import { observeExec, observeExit, observeStart } from './observe-process.ts';
import { observeBegin, observeEnd } from './observe-request.ts';
import type { Built } from './shard.ts';

/**
 * Everything that one segment adds to the graph. Looks at nothing else, so segments may come in any order, any number of
 * times; what only several of them know together (who started a process, which name an address had) is put together when
 * a partition's shards are merged or walked.
 * @param key object key of the segment, named by all evidence
 */
export function buildShards(segment: Segment, key: string): Built {
  const { header, records } = segment;
  const draft = new Draft(header.instanceId, header.fn, key);
  for (const record of records) observe(draft, record);
  linkProcesses(draft, records);
  const { links, cut } = draft.links();
  return {
    shards: draft.shards(header.first, header.last),
    links,
    requests: draft.requests,
    segment: {
      ...{ instance: header.instanceId, fn: header.fn, version: header.version, segment: key },
      ...{ first: header.first, last: header.last, prev: header.prev, linksCut: cut },
      from: records.reduce((low, { t }) => Math.min(low, t), records[0]?.t ?? 0),
      to: records.reduce((high, { t }) => Math.max(high, t), 0),
      requests: draft.requests.length,
      gaps: records.filter(({ kind }) => kind === 'gap').length,
      unobserved: records.filter(({ kind }) => kind === 'unobserved').length,
    },
  };
}

function observe(draft: Draft, record: AuditRecord): void {
  switch (record.kind) {
    case 'init':
    case 'restore':
    case 'shutdown':
    case 'gap':
    case 'unobserved':
      return observeInstance(draft, record);
    case 'request-begin':
      return observeBegin(draft, record);
    case 'request-end':
      return observeEnd(draft, record);
    case 'process-start':
      return observeStart(draft, record);
    case 'process-exec':
      return observeExec(draft, record);
    case 'process-exit':
      return observeExit(draft, record);
    case 'file-open':
      return observeOpen(draft, record);
    case 'file-close':
      return observeClose(draft, record);
    case 'file-change':
      return observeChange(draft, record);
    case 'socket-connect':
      return observeConnect(draft, record);
    case 'socket-accept':
    case 'socket-bind':
      return observeAccept(draft, record);
    case 'socket-close':
      return observeSocketClose(draft, record);
    case 'dns':
      return observeDns(draft, record);
    case 'exchange':
      return observeExchange(draft, record);
    case 'tunnel':
      return observeTunnel(draft, record);
  }
}

type InstanceRecord = Extract<AuditRecord, { kind: 'init' | 'restore' | 'shutdown' | 'gap' | 'unobserved' }>;

function observeInstance(draft: Draft, record: InstanceRecord): void {
  const { instance, fn } = draft;
  const partition = partitionOf(record);
  const seen = { first: record.t, last: record.t };
  if (record.kind === 'gap' || record.kind === 'unobserved') {
    const lost = record.kind === 'gap' ? record.lost : 0;
    const why = record.kind === 'gap' ? record.why : `unobserved ${record.what}`;
    const detail = record.detail === undefined ? {} : { detail: record.detail };
    const gap = draft.node(partition, { kind: 'gap', id: gapId(instance, record.seq), instance, why, lost, ...detail, ...seen });
    if (record.proc !== undefined || record.req !== null) {
      draft.edge(record, { from: draft.actor(record), to: gap, op: 'gap', start: record.t });
    }
    return;
  }
  const base = { kind: 'instance', id: instanceId(instance), instance, fn, ...seen } as const;
  if (record.kind === 'shutdown') {
    draft.node(partition, { ...base, shutdown: record.reason });
    return;
  }
  const facts =
    record.kind === 'init'
      ? { version: record.version, runtime: record.runtime, region: record.region, initType: record.initType }
      : {};
  const node = draft.node(partition, { ...base, ...facts });
  const owner = draft.node(partition, { kind: 'function', id: functionId(fn), name: fn, ...seen });
  draft.edge(record, { from: owner, to: node, op: 'runs', start: record.t });
  if (record.kind === 'restore') {
    const previous = { kind: 'instance', instance: record.previous, fn, ...seen } as const;
    const from = draft.node(partition, { ...previous, id: instanceId(record.previous) });
    draft.edge(record, { from, to: node, op: 'restore', start: record.t });
  }
}

/** Where the units of a process are found in order of time, whatever request each belongs to. */
export const processKey = (instance: InstanceId, proc: ProcessId) => linkKey('proc', instance, proc);

/**
 * One entry per process and partition. A segment cannot know whether a process is left over from an earlier request; it
 * can only spare the entry when it sees the process start during init, for then it serves every request alike.
 */
function linkProcesses(draft: Draft, records: readonly AuditRecord[]): void {
  const ofInit = new Set<ProcessId>();
  const seen = new Set<string>();
  for (const record of records) {
    const { proc } = record;
    if (proc === undefined) continue;
    const partition = partitionOf(record);
    if (partition === INIT) {
      if (record.kind === 'process-start') ofInit.add(proc);
      continue;
    }
    const node = processId(draft.instance, partition, proc);
    if (ofInit.has(proc) || seen.has(node)) continue;
    seen.add(node);
    draft.unit(record, proc);
    draft.link('process', record, { key: processKey(draft.instance, proc), direction: 'at', node });
  }
}
