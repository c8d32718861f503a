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

/** A graph as an answer: `counts` are of the whole, of which at most `limit` nodes are listed, earliest first. */
export function presentGraph(whole: Graph, limit: number, cut: readonly string[] = []): GraphAnswer {
  const graph = presentable(whole);
  const ordered = [...graph.nodes.values()].sort((a, b) => a.first - b.first || (a.id < b.id ? -1 : 1));
  const kept = new Set(ordered.slice(0, limit).map(({ id }) => id));
  const edges = graph.edges();
  const listed = edges.filter(({ from, to }) => kept.has(from) && kept.has(to)).sort((a, b) => a.start - b.start);
  const more = ordered.length - kept.size;
  return {
    counts: { nodes: ordered.length, edges: edges.length },
    nodes: ordered.slice(0, limit).map(presentNode),
    edges: listed,
    cut: more > 0 ? [...cut, `nodes: ${more} later ones and ${edges.length - listed.length} edges; raise limit`] : cut,
  };
}
