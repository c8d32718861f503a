import type { AuditRecord, InstanceId, ProcessId, Segment } from '../../layers/record/types.ts';
import { initItems } from './baseline.ts';
import { Draft } from './draft.ts';
import { INIT, linkKey, type NodeId, type Partition, partitionOf } from './ids.ts';
import { observeExchange } from './observe-exchange.ts';
import { closeTold, observeChange, observeClose, observeOpen } from './observe-file.ts';
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
  const draft = new Draft(header.instanceId, header.fn, key);
  let from = segment.records[0]?.t ?? 0;
  let to = 0;
  let gaps = 0;
  let unobserved = 0;
  const units = new Units();
  const take = (record: AuditRecord): void => {
    // Every observation widens the interval of its unit, also those that make no edge; else the interval would depend on the split.
    if (record.proc !== undefined) units.see(record, record.proc, draft.unit(record, record.proc));
    if (record.kind === 'request-begin') units.told(record, record.runtime ?? []);
    observe(draft, record);
    from = Math.min(from, record.t);
    to = Math.max(to, record.t);
    // A record that was only shortened is not missing.
    if (record.kind === 'gap' && !(record.why === 'oversize' && record.lost === 0)) gaps++;
    else if (record.kind === 'unobserved') unobserved++;
  };
  for (const record of segment.records) {
    take(record);
    const close = closeTold(record);
    if (close !== undefined) take(close);
  }
  units.link(draft);
  const { links, cut } = draft.links();
  return {
    shards: draft.shards(header.first, header.last, cut),
    links,
    requests: draft.requests,
    baseline: initItems(segment.records),
    segment: {
      ...{ instance: header.instanceId, fn: header.fn, version: header.version, segment: key },
      ...{ first: header.first, last: header.last, prev: header.prev, linksCut: cut },
      ...{ from, to, requests: draft.requests.length, gaps, unobserved },
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

interface Unit {
  readonly node: NodeId;
  readonly first: AuditRecord;
  ended: boolean;
}

/** The units of one segment, for the entries under which a process is found again in a later request. */
class Units {
  readonly #units = new Map<ProcessId, Map<Partition, Unit>>();
  readonly #ofInit = new Set<ProcessId>();
  readonly #started = new Set<ProcessId>();
  readonly #runtime = new Map<Partition, ReadonlySet<ProcessId>>();

  see(record: AuditRecord, proc: ProcessId, node: NodeId): void {
    const partition = partitionOf(record);
    if (record.kind === 'process-start') {
      if (partition === INIT) this.#ofInit.add(proc);
      else if (record.how !== 'exec') this.#started.add(proc);
    }
    if (partition === INIT) return;
    let units = this.#units.get(proc);
    if (units === undefined) {
      units = new Map();
      this.#units.set(proc, units);
    }
    const unit = units.get(partition);
    const ended = record.kind === 'process-exit' && record.child === undefined;
    if (unit === undefined) units.set(partition, { node, first: record, ended });
    else unit.ended = ended;
  }

  told(record: AuditRecord, runtime: readonly ProcessId[]): void {
    if (runtime.length > 0) this.#runtime.set(partitionOf(record), new Set(runtime));
  }

  /**
   * One entry per process and partition. A segment cannot know whether a process is left over from an earlier request. It can
   * spare the entry of one that it sees starting during init, or that the request's record names as such, for that serves
   * every request alike; and of one that it sees starting and ending.
   */
  link(draft: Draft): void {
    for (const [proc, units] of this.#units) {
      if (this.#ofInit.has(proc)) continue;
      for (const [partition, { node, first, ended }] of units) {
        if (this.#runtime.get(partition)?.has(proc)) continue;
        if (ended && units.size === 1 && this.#started.has(proc)) continue;
        draft.link('process', first, { key: processKey(draft.instance, proc), direction: 'at', node });
      }
    }
  }
}
