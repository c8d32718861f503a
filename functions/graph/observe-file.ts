import type {
  AuditRecord,
  FileChangeObservation,
  FileCloseObservation,
  FileOpenObservation,
} from '../../layers/record/types.ts';
import type { Draft } from './draft.ts';
import { linkKey } from './ids.ts';
import { LASTING } from './model.ts';
import { linkFile, pathNode } from './observe-process.ts';

type Reader = AuditRecord & { readonly path: string };

/** The close that the record of an open tells as well, as the record that it would have been apart. */
export function closeTold(record: AuditRecord): AuditRecord | undefined {
  if (record.kind !== 'file-open' || record.openFor === undefined) return undefined;
  const { seq, req, phase, proc, path, fd, t, openFor, read = 0, written = 0 } = record;
  const close = { seq, req, phase, t: t + openFor, kind: 'file-close', path, fd, read, written } as const;
  return proc === undefined ? close : { ...close, proc };
}

/** The interval of a flow begins at the open and, through its close, ends with the last byte. */
export function observeOpen(draft: Draft, record: AuditRecord & FileOpenObservation): void {
  const fresh = record.created || record.truncated ? record.t : undefined;
  if (record.mode !== 'r' || fresh !== undefined) wrote(draft, record, 0, fresh);
  if (record.mode !== 'w') read(draft, record, 0);
}

/** A write without its open: the descriptor was opened in an earlier request, or inherited. */
export function observeClose(draft: Draft, record: AuditRecord & FileCloseObservation): void {
  if (record.written > 0) wrote(draft, record, record.written, undefined);
  if (record.read > 0) read(draft, record, record.read);
}

export function observeChange(draft: Draft, record: AuditRecord & FileChangeObservation): void {
  const { op, t: start } = record;
  if (op === 'mkdir' || op === 'rmdir') return;
  const old = pathNode(draft, record, record.path, op !== 'link' && op !== 'symlink');
  const actor = draft.actor(record);
  if (op === 'rename' || op === 'link' || op === 'symlink') {
    const target = record.to === undefined ? undefined : pathNode(draft, record, record.to, true);
    if (record.to === undefined || target === undefined) return;
    // Through a link whatever is written to the old name later still arrives under the new one.
    if (old !== undefined) {
      const end = op === 'rename' ? start : LASTING;
      draft.edge(record, { from: old.id, to: target.id, op: op === 'rename' ? 'rename' : 'link', start, end });
      if (old.file && old.writable) linkFile(draft, record, record.path, old.id, 'in');
    }
    draft.edge(record, { from: actor, to: target.id, op: op === 'rename' ? 'rename' : 'link', start, fresh: start });
    linkFile(draft, record, record.to, target.id, 'out');
    return;
  }
  if (old?.file !== true) return;
  const edge = { from: actor, to: old.id, start };
  if (op === 'unlink') draft.edge(record, { ...edge, op });
  else if (op === 'truncate') draft.edge(record, { ...edge, op: 'write' });
  else draft.edge(record, { ...edge, op: 'chmod' });
  if (op !== 'unlink') linkFile(draft, record, record.path, old.id, 'out');
}

function wrote(draft: Draft, record: Reader, bytes: number, fresh: number | undefined): void {
  const file = pathNode(draft, record, record.path, true);
  if (file === undefined) return;
  draft.edge(record, {
    ...{ from: draft.actor(record), to: file.id, op: 'write', start: record.t, bytes },
    ...(fresh === undefined ? {} : { fresh }),
  });
  linkFile(draft, record, record.path, file.id, 'out');
}

function read(draft: Draft, record: Reader, bytes: number): void {
  const file = pathNode(draft, record, record.path, false);
  if (file === undefined) return;
  draft.edge(record, { from: file.id, to: draft.actor(record), op: 'read', start: record.t, bytes });
  if (file.writable) linkFile(draft, record, record.path, file.id, 'in');
  else if (file.file) draft.link('file', record, { key: linkKey('path', record.path), direction: 'at', node: file.id });
}
