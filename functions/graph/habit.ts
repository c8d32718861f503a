/** What a function does again and again by itself, so that it says little about an attack. */
import { INIT, linkKey } from './ids.ts';
import type { Edge, FileNode } from './model.ts';
import type { Provenance } from './provenance.ts';
import { CODE } from './reuse.ts';

/** Entries of a path's index that are looked at. */
const LOOKED_AT = 64;
/** Requests of the function that must have used a file: two more than the one that wrote it and the one that read it. */
const USERS = 4;
/** Names that a file had before it got its own. */
const NAMES = 3;

/**
 * Whether a file is one that the function keeps for itself from one request to the next, such as a cache or a counter: only the
 * runtime's own process has put it there, it is no code, and further requests of the function, of this instance or another, use
 * a file of this name too. Then that it was read says nothing of those who came before.
 */
export async function isKept(graph: Provenance, file: FileNode, writers: readonly Edge[]): Promise<boolean> {
  // JSON is data to whoever writes it time and again.
  if (CODE.test(file.path) && !file.path.endsWith('.json')) return false;
  if (!(await ownWork(graph, file, writers, NAMES))) return false;
  const { links } = await graph.recent(linkKey('path', file.path), LOOKED_AT);
  const fn = links.find(({ instance }) => instance === file.instance)?.fn;
  const users = new Set(
    links.flatMap(({ fn: of, instance, partition }) => (of === fn && partition !== INIT ? [`${instance}/${partition}`] : [])),
  );
  return users.size >= USERS;
}

/** Whether the runtime alone wrote the file, under this name or those before. */
async function ownWork(graph: Provenance, file: FileNode, writers: readonly Edge[], names: number): Promise<boolean> {
  const runtime = await graph.runtime(file.instance);
  for (const { from, op, end } of writers) {
    if (op !== 'write' && op !== 'rename') return false;
    const writer = await graph.find(from);
    if (writer?.kind === 'file') {
      const before = (await graph.causesOf(from, end)).filter((edge) => edge.op !== 'unlink');
      if (names === 0 || before.length === 0 || !(await ownWork(graph, writer, before, names - 1))) return false;
    } else if (writer?.kind !== 'process' || runtime?.has(writer.proc) !== true) return false;
  }
  return true;
}
