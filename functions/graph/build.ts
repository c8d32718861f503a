import type { AuditRecord, InstanceId, ProcessId, Segment } from '../../layers/record/types.ts';
import { Draft } from './draft.ts';
import { INIT, linkKey, partitionOf, processId } from './ids.ts';
import { observeExchange } from './observe-exchange.ts';
import { observationsOf, observeChange, observeClose, observeOpen } from './observe-file.ts';
import { observeInstance } from './observe-instance.ts';
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
  const { header } = segment;
  const records = segment.records.flatMap(observationsOf);
  const draft = new Draft(header.instanceId, header.fn, key);
  for (const record of records) {
    // Every observation widens the interval of its unit, also those that make no edge; else the interval would depend on the split.
    if (record.proc !== undefined) draft.unit(record, record.proc);
    observe(draft, record);
  }
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
      // A record that was only shortened is not missing.
      gaps: records.filter((one) => one.kind === 'gap' && !(one.why === 'oversize' && one.lost === 0)).length,
      unobserved: records.filter(({ kind }) => kind === 'unobserved').length,
    },
  };
}

function observe(draft: Draft, record: AuditRecord): void {
  switch (record.kind) {
    case 'request-begin':
      observeBegin(draft, record);
      break;
    case 'request-end':
      observeEnd(draft, record);
      break;
    case 'process-start':
      observeStart(draft, record);
      break;
    case 'process-exec':
      observeExec(draft, record);
      break;
    case 'process-exit':
      observeExit(draft, record);
      break;
    case 'file-open':
      observeOpen(draft, record);
      break;
    case 'file-close':
      observeClose(draft, record);
      break;
    case 'file-change':
      observeChange(draft, record);
      break;
    case 'socket-connect':
      observeConnect(draft, record);
      break;
    case 'socket-accept':
    case 'socket-bind':
      observeAccept(draft, record);
      break;
    case 'socket-close':
      observeSocketClose(draft, record);
      break;
    case 'dns':
      observeDns(draft, record);
      break;
    case 'exchange':
      observeExchange(draft, record);
      break;
    case 'tunnel':
      observeTunnel(draft, record);
      break;
    default:
      observeInstance(draft, record);
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
    draft.link('process', record, { key: processKey(draft.instance, proc), direction: 'at', node });
  }
}
