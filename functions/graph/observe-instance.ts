import type { AuditRecord } from '../../layers/record/types.ts';
import type { Draft } from './draft.ts';
import { functionId, gapId, instanceId } from './ids.ts';

type InstanceRecord = Extract<AuditRecord, { kind: 'init' | 'restore' | 'shutdown' | 'gap' | 'unobserved' | 'warning' }>;

/** Life cycle of the instance, and what is missing from its record. */
export function observeInstance(draft: Draft, record: InstanceRecord): void {
  const { instance, fn } = draft;
  const seen = { first: record.t, last: record.t };
  if (record.kind === 'gap' || record.kind === 'unobserved' || record.kind === 'warning') {
    const lost = record.kind === 'gap' ? record.lost : 0;
    const why = record.kind === 'gap' ? record.why : `${record.kind} ${record.what}`;
    const detail = record.detail === undefined ? {} : { detail: record.detail };
    const gap = draft.node({
      kind: 'gap',
      id: gapId(instance, record.seq),
      instance,
      why,
      lost,
      ...detail,
      ...seen,
    });
    if (record.proc !== undefined || record.req !== null) {
      draft.edge(draft.actor(), 'gap', gap);
    }
    return;
  }
  const base = { kind: 'instance', id: instanceId(instance), instance, fn, ...seen } as const;
  if (record.kind === 'shutdown') {
    draft.node({ ...base, shutdown: record.reason });
    return;
  }
  const facts =
    record.kind === 'init'
      ? { version: record.version, runtime: record.runtime, region: record.region, initType: record.initType }
      : {};
  const node = draft.node({ ...base, ...facts });
  const owner = draft.node({ kind: 'function', id: functionId(fn), name: fn, ...seen });
  draft.edge(owner, 'runs', node);
  if (record.kind === 'restore') {
    const previous = { kind: 'instance', instance: record.previous, fn, ...seen } as const;
    const from = draft.node({ ...previous, id: instanceId(record.previous) });
    draft.edge(from, 'restore', node);
  }
}
