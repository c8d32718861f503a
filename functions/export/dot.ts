import { instanceOf } from '../graph/ids.ts';
import { isFlow, type NodeKind } from '../graph/model.ts';
import { closed, type ExportGraph, type ExportNode, edgeAttributes, evidenceOf, functionsOf, iso } from './graph.ts';
import { quoted } from './text.ts';

const SHAPES: Readonly<Record<NodeKind, string>> = {
  ...{
    function: 'component',
    instance: 'box3d',
    request: 'cds',
    process: 'box',
    file: 'note',
    'image-tree': 'folder',
    baseline: 'tab',
  },
  ...{
    endpoint: 'ellipse',
    exchange: 'parallelogram',
    resource: 'cylinder',
    client: 'house',
    gap: 'octagon',
    agent: 'hexagon',
    trigger: 'cds',
  },
};

/** How what stands out looks. */
const ODD = ' color="#c00000" penwidth=2.5';

/**
 * Graphviz DOT (https://graphviz.org/doc/info/lang.html): a cluster for each instance, inferred edges dashed, agents and configured ways in
 * dotted; what deviates or nothing explains in red.
 */
export function* dot(graph: ExportGraph): Generator<string> {
  const { nodes, edges, cut } = closed(graph);
  const names = new Map<string, string>(nodes.map(({ id }, i) => [id, `n${i}`]));
  const functions = functionsOf(graph);
  yield 'digraph alastor {\n  rankdir=LR; charset="UTF-8"; fontname="sans-serif"; node [fontname="sans-serif"]; edge [fontname="sans-serif"];\n';
  if (cut.length > 0) yield `  label=${quoted(`not in this graph: ${cut.join('; ')}`)};\n`;
  let clusters = 0;
  for (const [instance, inside] of Map.groupBy(nodes, ({ id }) => instanceOf(id))) {
    if (instance !== undefined) {
      yield `  subgraph cluster_${clusters++} {\n    label=${quoted(`${functions.get(instance) ?? ''} ${instance}`.trim())};\n`;
    }
    for (const node of inside) yield `    ${names.get(node.id)} [${described(node)}];\n`;
    if (instance !== undefined) yield '  }\n';
  }
  for (const edge of edges) {
    const style = edge.sure === 'inferred' ? ' style=dashed' : isFlow(edge.op) ? '' : ' style=dotted';
    const colour = edge.unexplained === true ? ODD : '';
    const told = edgeAttributes(edge).flatMap(([name, value]) => (name === 'evidence' ? [] : [`${name} ${value}`]));
    const tooltip = [...told, ...evidenceOf(edge)].join(' · ');
    yield `  ${names.get(edge.from)} -> ${names.get(edge.to)} [label=${quoted(edge.op)} tooltip=${quoted(tooltip)}${style}${colour}];\n`;
  }
  yield '}\n';
}

function described(node: ExportNode): string {
  const label = `label=${quoted(node.label ?? node.id, 120)}`;
  const marks = [...(node.deviates === true ? ['deviates'] : []), ...(node.unexplained === true ? ['unexplained'] : [])];
  const tooltip = [node.id, iso(node.first), ...marks].join(' · ');
  return `${label} shape=${SHAPES[node.kind] ?? 'box'} tooltip=${quoted(tooltip)}${marks.length > 0 ? ODD : ''}`;
}
