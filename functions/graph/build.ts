import type { AuditRecord, InstanceId, ProcessId, Segment } from '../../layers/record/types.ts';
import { initItems } from './baseline.ts';
import { Draft } from './draft.ts';
import type { Folded } from './draft-part.ts';
import { INIT, linkKey, type Partition } from './ids.ts';
import type { ProcessNode } from './model.ts';
import { observeExchange } from './observe-exchange.ts';
import { observeChange, observeClose, observeOpen } from './observe-file.ts';
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
  const { header, records } = segment;
  const { instanceId: instance, fn, version, first, last, prev } = header;
  const draft = new Draft(instance, fn, key);
  const units = new Units(draft);
  const ofInit: AuditRecord[] = [];
  let from = records[0]?.t ?? 0;
  let to = 0;
  let gaps = 0;
  let unobserved = 0;
  for (const record of records) {
    const { kind, t } = record;
    const unit = draft.take(record);
    if (unit !== undefined) units.see(record, unit);
    if (kind === 'request-begin') units.told(record.runtime ?? []);
    BY_KIND.get(kind)?.(draft, record as never);
    from = Math.min(from, t);
    to = Math.max(to, draft.t);
    if (draft.partition === INIT) ofInit.push(record);
    // A record that was only shortened is not missing.
    if (kind === 'gap' && !(record.why === 'oversize' && record.lost === 0)) gaps++;
    else if (kind === 'unobserved') unobserved++;
  }
  units.link();
  const { links, cut: linksCut } = draft.links();
  const { requests } = draft;
  return {
    shards: draft.shards(first, last, linksCut),
    links,
    requests,
    baseline: initItems(ofInit),
    segment: {
      instance,
      fn,
      version,
      segment: key,
      first,
      last,
      prev,
      linksCut,
      from,
      to,
      requests: requests.length,
      gaps,
      unobserved,
    },
  };
}

type Observer<K> = (draft: Draft, record: Extract<AuditRecord, { readonly kind: K }>) => void;
const OBSERVERS: { readonly [K in AuditRecord['kind']]: Observer<K> } = {
  init: observeInstance,
  restore: observeInstance,
  shutdown: observeInstance,
  gap: observeInstance,
  unobserved: observeInstance,
  warning: observeInstance,
  'request-begin': observeBegin,
  'request-end': observeEnd,
  'process-start': observeStart,
  'process-exec': observeExec,
  'process-exit': observeExit,
  'file-open': observeOpen,
  'file-close': observeClose,
  'file-change': observeChange,
  'socket-connect': observeConnect,
  'socket-accept': observeAccept,
  'socket-bind': observeAccept,
  'socket-close': observeSocketClose,
  dns: observeDns,
  exchange: observeExchange,
  tunnel: observeTunnel,
};
/** A map, because the names of kinds come from JSON: comparing them one after the other would read them each time. */
const BY_KIND = new Map<string, (draft: Draft, record: never) => void>(Object.entries(OBSERVERS));

/** Where the units of a process are found in order of time, whatever request each belongs to. */
export const processKey = (instance: InstanceId, proc: ProcessId) => linkKey('proc', `${instance}:${proc}`);

/** The units of one segment, for the entries under which a process is found again in a later request. */
class Units {
  readonly #draft: Draft;
  /** What each process did outside init, by partition. */
  readonly #units = new Map<ProcessId, Folded<ProcessNode>[]>();
  readonly #ofInit = new Set<ProcessId>();
  readonly #started = new Set<ProcessId>();
  readonly #runtime = new Map<Partition, readonly ProcessId[]>();

  constructor(draft: Draft) {
    this.#draft = draft;
  }

  see(record: AuditRecord, unit: Folded<ProcessNode>): void {
    const { partition, proc } = unit.node;
    if (record.kind === 'process-start') {
      if (partition === INIT) this.#ofInit.add(proc);
      else if (record.how !== 'exec') this.#started.add(proc);
    }
    if (partition === INIT) return;
    const ended = record.kind === 'process-exit' && record.child === undefined;
    if (unit.seen !== undefined) {
      unit.seen.ended = ended;
      return;
    }
    unit.seen = { first: record, ended, serves: false };
    const before = this.#units.get(proc);
    if (before === undefined) this.#units.set(proc, [unit]);
    else before.push(unit);
  }

  told(runtime: readonly ProcessId[]): void {
    if (runtime.length > 0) this.#runtime.set(this.#draft.partition, runtime);
  }

  /**
   * One entry per process and partition. A segment cannot know whether a process is left over from an earlier request. It can
   * spare the entry of one that it sees starting during init, or that the request's record names as such, for that serves
   * every request alike; and of one that it sees starting and ending.
   */
  link(): void {
    const draft = this.#draft;
    for (const [partition, runtime] of this.#runtime) {
      for (const proc of runtime) {
        const seen = draft.unitIn(partition, proc)?.seen;
        if (seen !== undefined) seen.serves = true;
      }
    }
    for (const [proc, units] of this.#units) {
      if (this.#ofInit.has(proc)) continue;
      for (const unit of units) {
        const { seen } = unit;
        if (seen === undefined || seen.serves || (seen.ended && units.length === 1 && this.#started.has(proc))) continue;
        draft.take(seen.first);
        draft.link('process', processKey(draft.instance, proc), 'at', unit);
      }
    }
  }
}
