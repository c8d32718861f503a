/** Nodes that many partitions mention: under which keys they are found, and what their edges mean together. */
import { type NodeId, ownKey } from './ids.ts';
import type { Graph } from './local.ts';
import { type Edge, LASTING, type Node } from './model.ts';
import { addressKey, hostKey } from './observe-network.ts';

/** Trees, instances, functions and clients lie in no partition and have no entries: what is the same for everybody is looked for by nobody. */
export const leadsNowhere = (id: NodeId) => !/^(?:request|process|exchange|file|resource|endpoint):/.test(id);

export function sharedKeys(id: NodeId) {
  if (id.startsWith('file:') || id.startsWith('resource:')) return [ownKey(id)];
  if (!id.startsWith('endpoint:')) return [];
  const name = id.slice('endpoint:'.length);
  const address = /^(.*):\d+$/.exec(name)?.[1];
  if (address !== undefined) return [hostKey(name), addressKey(address), ownKey(id)];
  // A name is no address, so nobody went there by it.
  return /^[\d.]+$|:/.test(name) ? [hostKey(name), addressKey(name)] : [hostKey(name)];
}

/** An address may go by a name in some partitions. */
export function sameNodes(graph: Graph, id: NodeId, known: { readonly nodes: ReadonlyMap<NodeId, Node> }): readonly NodeId[] {
  if (graph.nodes.has(id)) return [id];
  const [, addr, port] = /^endpoint:(.*):(\d+)$/.exec(id) ?? [];
  if (port === undefined) return [];
  const node = known.nodes.get(id);
  if (node?.kind === 'endpoint' && node.local !== undefined) return [];
  return [...graph.nodes.values()]
    .filter((one) => one.kind === 'endpoint' && (one.addr ?? one.host) === addr && one.port === Number(port))
    .map((one) => one.id);
}

export function retarget(edges: readonly Edge[], end: 'from' | 'to', id: NodeId): readonly Edge[] {
  return edges.map((edge) => (edge[end] === id ? edge : { ...edge, [end]: id }));
}

/** What was in a file before it was last created, truncated or replaced does not reach a later reader. */
export function sinceFresh(edges: readonly Edge[], at: number): readonly Edge[] {
  const fresh = Math.max(-1, ...edges.map((edge) => (edge.fresh !== undefined && edge.fresh <= at ? edge.fresh : -1)));
  return edges.filter((edge) => edge.end >= fresh || edge.end === LASTING);
}
