import type {
  ProcessExecObservation,
  ProcessExitObservation,
  ProcessId,
  ProcessStartObservation,
} from '../../layers/record/types.ts';
import type { Draft } from './draft.ts';
import type { Folded } from './draft-part.ts';
import { INIT } from './ids.ts';
import { classify } from './paths.ts';

/** A child known by its pid only, as its parent names it; given its full id once both ends are there (see `local.ts`). */
const childOf = (pid: number) => `${pid}@?` as ProcessId;
export const isUnnamed = (proc: ProcessId) => proc.endsWith('@?');

type Of<T> = T & { readonly proc?: ProcessId };

export function observeStart(draft: Draft, { proc, parent, how, exe }: Of<ProcessStartObservation>): void {
  if (proc === undefined) return;
  const unit = draft.unit(proc);
  unit.node.exe = exe;
  unit.node.started = draft.t;
  // During init the parent is what launched the runtime. Later, `runtime` is said of a process whose parent is not known.
  const launched = how === 'runtime' && draft.partition === INIT;
  // Pid 1 adopts what others left behind: it has started nothing here but the runtime.
  const adopted = parent?.startsWith('1@') === true;
  if (parent !== null && parent !== proc && !launched && !adopted) {
    // A process that takes on a new image reports a start too, with its parent, perhaps requests after the parent made it.
    draft.edge(draft.unit(parent), how === 'exec' ? 'image' : 'start', unit);
  }
  ran(draft, exe, unit);
}

export function observeExec(draft: Draft, record: Of<ProcessExecObservation>): void {
  const { proc, path, argv, cwd, child } = record;
  if (!record.ok || proc === undefined) return;
  const unit = draft.unit(child === undefined ? proc : childOf(child));
  unit.node.exe = path;
  unit.node.argv = argv.slice(0, 64);
  if (cwd !== undefined) unit.node.cwd = cwd;
  if (child !== undefined) draft.edge(draft.unit(proc), 'start', unit);
  ran(draft, path, unit);
}

export function observeExit(draft: Draft, { proc, child, code, signal }: Of<ProcessExitObservation>): void {
  const ended = child === undefined ? proc : childOf(child);
  if (ended === undefined) return;
  const { node } = draft.unit(ended);
  node.exited = draft.t;
  if (code !== undefined) node.exitCode = code;
  if (signal !== undefined) node.signal = signal;
}

/** The program file is a cause of what the process does. */
function ran(draft: Draft, path: string, unit: Folded): void {
  const found = pathNode(draft, path, false);
  if (found === undefined) return;
  draft.edge(found, 'exec', unit);
  if (found.node.kind === 'file' && found.node.writable) linkFile(draft, path, found, 'in');
}

/** The file or read-only tree that a path names. What is written is never a tree. */
export function pathNode(draft: Draft, path: string, writing: boolean): Folded | undefined {
  const seen = classify(path, writing);
  return seen.as === 'nothing' ? undefined : draft.path(seen);
}

/** Within the instance both sides meet under the file's key; across instances a path can be searched. */
export function linkFile(draft: Draft, path: string, node: Folded, direction: 'in' | 'out'): void {
  draft.linkOwn('file', direction, node);
  const seen = classify(path, true);
  if (seen.as === 'file') draft.link('file', seen.key, 'at', node);
}
