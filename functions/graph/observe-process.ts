import type {
  AuditRecord,
  ProcessExecObservation,
  ProcessExitObservation,
  ProcessId,
  ProcessStartObservation,
} from '../../layers/record/types.ts';
import type { Draft } from './draft.ts';
import { INIT, linkKey, type NodeId, partitionOf } from './ids.ts';
import { classify } from './paths.ts';

/** A child known by its pid only, as its parent names it; given its full id once both ends are there (see `local.ts`). */
const childOf = (pid: number) => `${pid}@?` as ProcessId;
export const isUnnamed = (proc: ProcessId) => proc.endsWith('@?');

export function observeStart(draft: Draft, record: AuditRecord & ProcessStartObservation): void {
  if (record.proc === undefined) return;
  const unit = draft.unit(record, record.proc, { exe: record.exe, started: record.t });
  // During init the parent is what launched the runtime. Later, `runtime` is said of a process whose parent is not known.
  const launched = record.how === 'runtime' && partitionOf(record) === INIT;
  // Pid 1 adopts what others left behind: it has started nothing here but the runtime.
  const adopted = record.parent?.startsWith('1@') === true;
  if (record.parent !== null && record.parent !== record.proc && !launched && !adopted) {
    // A process that takes on a new image reports a start too, with its parent, perhaps requests after the parent made it.
    const op = record.how === 'exec' ? 'image' : 'start';
    draft.edge(record, { from: draft.unit(record, record.parent), to: unit, op, start: record.t });
  }
  ran(draft, record, record.exe, unit);
}

export function observeExec(draft: Draft, record: AuditRecord & ProcessExecObservation): void {
  if (!record.ok || record.proc === undefined) return;
  const facts = { exe: record.path, argv: record.argv.slice(0, 64), ...(record.cwd === undefined ? {} : { cwd: record.cwd }) };
  if (record.child === undefined) {
    ran(draft, record, record.path, draft.unit(record, record.proc, facts));
    return;
  }
  const child = draft.unit(record, childOf(record.child), facts);
  draft.edge(record, { from: draft.unit(record, record.proc), to: child, op: 'start', start: record.t });
  ran(draft, record, record.path, child);
}

export function observeExit(draft: Draft, record: AuditRecord & ProcessExitObservation): void {
  const proc = record.child === undefined ? record.proc : childOf(record.child);
  if (proc === undefined) return;
  draft.unit(record, proc, {
    exited: record.t,
    ...(record.code === undefined ? {} : { exitCode: record.code }),
    ...(record.signal === undefined ? {} : { signal: record.signal }),
  });
}

/** The program file is a cause of what the process does. */
function ran(draft: Draft, record: AuditRecord, path: string, unit: NodeId): void {
  const found = pathNode(draft, record, path, false);
  if (found === undefined) return;
  draft.edge(record, { from: found.id, to: unit, op: 'exec', start: record.t });
  if (found.writable) linkFile(draft, record, path, found.id, 'in');
}

export function pathNode(
  draft: Draft,
  record: AuditRecord,
  path: string,
  writing: boolean,
): { readonly id: NodeId; readonly file: boolean; readonly writable: boolean } | undefined {
  const seen = classify(path, writing);
  if (seen.as === 'nothing') return undefined;
  const id = draft.path(record, seen);
  return seen.as === 'tree' ? { id, file: false, writable: false } : { id, file: true, writable: seen.writable || writing };
}

/** Within the instance both sides meet under the file's key; across instances a path can be searched. */
export function linkFile(draft: Draft, record: AuditRecord, path: string, node: NodeId, direction: 'in' | 'out'): void {
  draft.link('file', record, { key: linkKey(node), direction, node });
  const seen = classify(path, true);
  if (seen.as === 'file') draft.link('file', record, { key: linkKey('path', seen.path), direction: 'at', node });
}
