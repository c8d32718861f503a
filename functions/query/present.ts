import type { NodeId } from '../graph/ids.ts';
import { label } from '../graph/label.ts';
import type { Graph } from '../graph/local.ts';
import type { Edge, Node } from '../graph/model.ts';
import type { Cut } from '../graph/provenance.ts';
import { presentable } from '../graph/workflow.ts';

/** What a walk did not follow, as lines for people. */
export function cutLines(
  cuts: readonly { readonly node: NodeId; readonly why: Cut['why'] | 'limit' | 'time' }[],
): readonly string[] {
  return cuts.map(({ node, why }) =>
    why === 'index' ? `${node}: not all that it touched is indexed` : `${node}: not all of its neighbours (${why})`,
  );
}

export function presentNode(node: Node): object {
  return { ...node, label: label(node) };
}

export interface GraphAnswer {
  readonly counts: { readonly nodes: number; readonly edges: number };
  readonly nodes: readonly object[];
  readonly edges: readonly Edge[];
  readonly cut: readonly string[];
}

/**
 * A graph as an answer: `counts` are of the whole, of which nodes are listed earliest first, `limit` of them after the first `skip`.
 * An edge is listed with the later of its ends, so that pages together have each edge once. `more`: nodes that follow.
 */
export function presentGraph(whole: Graph, limit: number, skip = 0): Omit<GraphAnswer, 'cut'> & { readonly more: number } {
  const graph = presentable(whole);
  const ordered = [...graph.nodes.values()].sort((a, b) => a.first - b.first || (a.id < b.id ? -1 : 1));
  const place = new Map(ordered.map(({ id }, i) => [id, i]));
  const edges = graph.edges();
  const listed = edges.filter(({ from, to }) => {
    const at = Math.max(place.get(from) ?? -1, place.get(to) ?? -1);
    return at >= skip && at < skip + limit;
  });
  return {
    counts: { nodes: ordered.length, edges: edges.length },
    nodes: ordered.slice(skip, skip + limit).map(presentNode),
    edges: listed.sort((a, b) => a.start - b.start),
    more: Math.max(0, ordered.length - skip - limit),
  };
}
