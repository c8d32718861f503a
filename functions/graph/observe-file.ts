import type { FileChangeObservation, FileCloseObservation, FileOpenObservation } from '../../layers/record/types.ts';
import type { Draft } from './draft.ts';
import { linkKey } from './ids.ts';
import { LASTING } from './model.ts';
import { linkFile, pathNode } from './observe-process.ts';

/** The interval of a flow begins at the open and, through its close, ends with the last byte. */
export function observeOpen(draft: Draft, record: FileOpenObservation): void {
  const { path, mode, openFor } = record;
  const fresh = record.created || record.truncated ? draft.t : undefined;
  if (mode !== 'r' || fresh !== undefined) wrote(draft, path, 0, fresh);
  if (mode !== 'w') read(draft, path, 0);
  if (openFor === undefined) return;
  // The record of the close, if there were one, would have come that much later.
  draft.later(openFor);
  observeClose(draft, record);
}

/** A write without its open: the descriptor was opened in an earlier request, or inherited. */
export function observeClose(draft: Draft, record: FileCloseObservation | FileOpenObservation): void {
  const { path, written = 0, read: got = 0 } = record;
  if (written > 0) wrote(draft, path, written, undefined);
  if (got > 0) read(draft, path, got);
}

export function observeChange(draft: Draft, record: FileChangeObservation): void {
  const { op, path, to } = record;
  if (op === 'mkdir' || op === 'rmdir') return;
  const old = pathNode(draft, path, op !== 'link' && op !== 'symlink');
  const actor = draft.actor();
  if (op === 'rename' || op === 'link' || op === 'symlink') {
    const target = to === undefined ? undefined : pathNode(draft, to, true);
    if (to === undefined || target === undefined) return;
    const how = op === 'rename' ? 'rename' : 'link';
    // Through a link whatever is written to the old name later still arrives under the new one.
    if (old !== undefined) {
      draft.edge(old, how, target, draft.t, op === 'rename' ? draft.t : LASTING);
      if (old.node.kind === 'file' && (op === 'rename' || old.node.writable)) linkFile(draft, path, old, 'in');
    }
    draft.edge(actor, how, target, draft.t, draft.t, 0, 'exact', draft.t);
    linkFile(draft, to, target, 'out');
    return;
  }
  if (old === undefined) return;
  draft.edge(actor, op === 'unlink' ? 'unlink' : op === 'truncate' ? 'write' : 'chmod', old);
  if (op !== 'unlink') linkFile(draft, path, old, 'out');
}

function wrote(draft: Draft, path: string, bytes: number, fresh: number | undefined): void {
  const file = pathNode(draft, path, true);
  if (file === undefined) return;
  draft.edge(draft.actor(), 'write', file, draft.t, draft.t, bytes, 'exact', fresh);
  linkFile(draft, path, file, 'out');
}

function read(draft: Draft, path: string, bytes: number): void {
  const found = pathNode(draft, path, false);
  if (found === undefined) return;
  draft.edge(found, 'read', draft.actor(), draft.t, draft.t, bytes);
  if (found.node.kind !== 'file') return;
  if (found.node.writable) linkFile(draft, path, found, 'in');
  else draft.link('file', linkKey('path', path), 'at', found);
}
