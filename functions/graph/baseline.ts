/** What every cold start of a function version does: the files it reads, the programs it runs, the hosts it speaks to. */
import type { AuditRecord } from '../../layers/record/types.ts';
import { clean } from './ids.ts';
import type { Node } from './model.ts';
import { isLoopback } from './observe-network.ts';
import { classify } from './paths.ts';

/** `read /var/task/index.js`, `run /usr/bin/git`, `host example.com`. */
export type BaselineItem = string;

/** Of one segment. A cold start reads some hundred files; more than this comes from whoever wants to fill the tables. */
export const MAX_ITEMS = 4000;
const LONGEST = 300;

/** What the records of init say, sorted, each once. */
export function initItems(records: readonly AuditRecord[]): readonly BaselineItem[] {
  const found = new Set<BaselineItem>();
  for (const record of records) {
    if (found.size >= MAX_ITEMS) break;
    if (record.req !== null || record.phase !== 'init' || record.kind === 'request-begin') continue;
    const item = itemOf(record);
    if (item !== undefined) found.add(item);
  }
  return [...found].sort();
}

function itemOf(record: AuditRecord): BaselineItem | undefined {
  switch (record.kind) {
    case 'file-open':
      return record.mode === 'w' ? undefined : readItem(record.path);
    case 'process-start':
      return item('run', record.exe);
    case 'process-exec':
      return record.ok ? item('run', record.path) : undefined;
    case 'exchange':
      return isLoopback(record.host) ? undefined : item('host', record.host.toLowerCase());
    default:
      return undefined;
  }
}

/** What a node of the graph says in the same words; undefined for nodes that are told apart by other means. */
export function itemOfNode(node: Node): BaselineItem | undefined {
  if (node.kind === 'process') return node.exe === undefined ? undefined : item('run', node.exe);
  if (node.kind === 'exchange') return isLoopback(node.host) ? undefined : item('host', node.host.toLowerCase());
  return node.kind === 'file' ? readItem(node.path) : undefined;
}

/** What can be written is each instance's own; numbers of processes are different every time. */
function readItem(path: string): BaselineItem | undefined {
  const known = reads.get(path);
  if (known !== undefined) return known === null ? undefined : known;
  const made = madeReadItem(path);
  if (reads.size >= MAX_ITEMS) reads.clear();
  if (path.length <= LONGEST) reads.set(path, made ?? null);
  return made;
}

/** Of paths seen lately: instances of a version read the same ones. */
const reads = new Map<string, BaselineItem | null>();

function madeReadItem(path: string): BaselineItem | undefined {
  const seen = classify(path, false);
  if (seen.as === 'nothing' || (seen.as === 'file' && seen.writable)) return undefined;
  return item('read', path.replace(/^\/proc\/\d+(?=\/|$)/, '/proc/self'));
}

const item = (what: 'read' | 'run' | 'host', name: string): BaselineItem => `${what} ${clean(name, LONGEST)}`;

/** Whether something read in a read-only tree is among the items. */
export const touchesTree = (items: Iterable<BaselineItem>, root: string): boolean => {
  for (const one of items) if (one.startsWith(`read ${root}/`) || one.startsWith(`run ${root}/`)) return true;
  return false;
};
