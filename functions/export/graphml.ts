import { type Attribute, attributes, closed, type ExportGraph, edgeAttributes } from './graph.ts';
import { markup } from './text.ts';

/**
 * GraphML (http://graphml.graphdrawing.org/primer/graphml-primer.html). Ids of Alastor are no XML name tokens: they are in the
 * attribute `alastor_id`. The attributes `labels` and `label` of elements are what Neo4j's importer takes for a node's labels and an
 * edge's type: https://neo4j.com/docs/apoc/current/import/import-graphml/
 */
export function* graphml(graph: ExportGraph): Generator<string> {
  const { nodes, edges, cut } = closed(graph);
  const described = nodes.map((node): readonly Attribute[] => [
    ['alastor_id', node.id],
    ['kind', node.kind],
    ['name', node.label ?? node.id],
    ...attributes(node).filter(([name]) => name !== 'name'),
  ]);
  const flows = edges.map(edgeAttributes);
  const [nodeKeys, edgeKeys] = [new Keys('n', described), new Keys('e', flows)];
  yield '<?xml version="1.0" encoding="UTF-8"?>\n<graphml xmlns="http://graphml.graphdrawing.org/xmlns">\n';
  yield '<key id="cut" for="graph" attr.name="cut" attr.type="string"/>\n';
  yield* nodeKeys.declared('node');
  yield* edgeKeys.declared('edge');
  yield `<graph id="alastor" edgedefault="directed"><data key="cut">${markup(cut.join('\n').replaceAll('\n', '; '), 100_000)}</data>\n`;
  const names = new Map<string, string>(nodes.map(({ id }, i) => [id, `n${i}`]));
  for (const [i, values] of described.entries()) {
    const labels = markup(`:${nodes[i]?.kind}`);
    yield `<node id="n${i}" labels="${labels}">${nodeKeys.data(values)}</node>\n`;
  }
  for (const [i, { from, to, op }] of edges.entries()) {
    const ends = `source="${names.get(from)}" target="${names.get(to)}"`;
    yield `<edge id="e${i}" ${ends} label="${markup(op)}">${edgeKeys.data(flows[i] ?? [])}</edge>\n`;
  }
  yield '</graph>\n</graphml>\n';
}

/** An attribute has one type in the whole document: one that varies is a string. */
class Keys {
  readonly #types = new Map<string, string>();
  readonly #prefix: string;

  constructor(prefix: string, all: readonly (readonly Attribute[])[]) {
    this.#prefix = prefix;
    for (const values of all) {
      for (const [name, value] of values) {
        const type = typeOf(value);
        const before = this.#types.get(name) ?? type;
        this.#types.set(name, before === type ? type : 'string');
      }
    }
  }

  *declared(what: 'node' | 'edge'): Generator<string> {
    for (const [name, type] of this.#types) {
      yield `<key id="${this.#prefix}_${name}" for="${what}" attr.name="${name}" attr.type="${type}"/>\n`;
    }
  }

  data(values: readonly Attribute[]): string {
    return values
      .map(([name, value]) => `<data key="${this.#prefix}_${name}">${markup(String(value), 10_000)}</data>`)
      .join('');
  }
}

function typeOf(value: Attribute[1]): string {
  if (typeof value === 'boolean') return 'boolean';
  return typeof value === 'number' && Number.isSafeInteger(value) ? 'long' : 'string';
}
