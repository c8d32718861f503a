import type { Edge, NodeKind } from '../graph/model.ts';
import { type Attribute, attributes, closed, type ExportGraph, type ExportNode, edgeAttributes, iso, lifeOf } from './graph.ts';
import { plain } from './text.ts';

/** A statement of PROV-DM; the mapping is in docs/graph-model.md, "In terms of W3C PROV". */
interface Statement {
  readonly type: keyof typeof NAMES;
  readonly id: string;
  /** PROV's own properties; ids as qualified names, times as xsd:dateTime. */
  readonly formal: Readonly<Record<string, string>>;
  readonly types?: readonly string[];
  readonly label?: string;
  readonly attributes: readonly Attribute[];
}

/** Statement types of PROV-JSONLD, and their names in PROV-JSON. */
const NAMES = {
  ...{ Entity: 'entity', Activity: 'activity', Agent: 'agent' },
  ...{ Usage: 'used', Generation: 'wasGeneratedBy', Invalidation: 'wasInvalidatedBy', Communication: 'wasInformedBy' },
  ...{ Start: 'wasStartedBy', Derivation: 'wasDerivedFrom', Association: 'wasAssociatedWith', Delegation: 'actedOnBehalfOf' },
  ...{ Alternate: 'alternateOf', Specialization: 'specializationOf', Influence: 'wasInfluencedBy' },
} as const;
const NAMESPACE = 'urn:alastor:';

/** PROV-JSON: https://www.w3.org/submissions/prov-json/ */
export function* provJson(graph: ExportGraph): Generator<string> {
  const sections = Map.groupBy(statements(graph), ({ type }) => NAMES[type]);
  yield `{"prefix":{"alastor":${JSON.stringify(NAMESPACE)}}`;
  for (const [name, all] of sections) {
    yield `,\n${JSON.stringify(name)}:{`;
    for (const [i, one] of all.entries()) {
      const told: Record<string, unknown> = {};
      for (const [key, value] of Object.entries(one.formal)) told[`prov:${key}`] = value;
      if (one.label !== undefined) told['prov:label'] = one.label;
      if (one.types !== undefined) told['prov:type'] = one.types.map((type) => ({ $: type, type: 'xsd:QName' }));
      for (const [key, value] of one.attributes) told[`alastor:${key}`] = typed(value, '$', 'type');
      yield `${i === 0 ? '' : ','}\n${JSON.stringify(one.id)}:${JSON.stringify(told)}`;
    }
    yield '}';
  }
  yield '}\n';
}

/** PROV-JSONLD: https://www.w3.org/submissions/prov-jsonld/ */
export function* provJsonLd(graph: ExportGraph): Generator<string> {
  const context = [{ alastor: NAMESPACE }, 'https://openprovenance.org/prov-jsonld/context.jsonld'];
  yield `{"@context":${JSON.stringify(context)},"@graph":[`;
  let first = true;
  for (const one of statements(graph)) {
    const told: Record<string, unknown> = { '@type': one.type, '@id': one.id, ...one.formal };
    if (one.label !== undefined) told.label = [{ '@value': one.label }];
    if (one.types !== undefined) told.type = one.types;
    for (const [key, value] of one.attributes) told[`alastor:${key}`] = [typed(value, '@value', '@type')];
    // Alternate and specialization are plain relations in PROV-DM: they have no id and no attributes.
    if (one.type === 'Alternate' || one.type === 'Specialization') delete told['@id'];
    yield `${first ? '' : ','}\n${JSON.stringify(told)}`;
    first = false;
  }
  yield ']}\n';
}

function typed(value: Attribute[1], valueKey: string, typeKey: string): object | string {
  if (typeof value === 'string') return valueKey === '$' ? value : { [valueKey]: value };
  const type = typeof value === 'boolean' ? 'xsd:boolean' : Number.isInteger(value) ? 'xsd:long' : 'xsd:double';
  return { [valueKey]: String(value), [typeKey]: type };
}

/** A node id as local part of a qualified name: percent-encoded, so that nothing in it can end the name. */
const named = (id: string): string =>
  `alastor:${encodeURIComponent(id.toWellFormed()).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)}`;

type Class = 'Entity' | 'Activity' | 'Agent';
const CLASSES: Readonly<Record<NodeKind, Class | undefined>> = {
  ...{ request: 'Activity', process: 'Activity', exchange: 'Activity' },
  ...{ file: 'Entity', 'image-tree': 'Entity', baseline: 'Entity', resource: 'Entity', endpoint: 'Entity' },
  ...{ function: 'Agent', instance: 'Agent', client: 'Agent', agent: 'Agent', trigger: 'Entity', gap: undefined },
};

function* statements(whole: ExportGraph): Generator<Statement> {
  const { nodes, edges, cut } = closed(whole);
  const gaps = nodes.filter(({ kind }) => kind === 'gap');
  const missing = [...cut, ...gaps.map(({ id, label }) => `gap in the evidence: ${label ?? id}`)];
  yield {
    ...{ type: 'Entity', id: 'alastor:export', formal: {}, types: ['alastor:export'], label: 'this export' },
    attributes: [
      ['nodes', nodes.length],
      ['edges', edges.length],
      ['cut', missing.map((line) => plain(line)).join('; ') || 'nothing'],
    ],
  };
  for (const node of nodes) {
    const type = CLASSES[node.kind];
    if (type !== undefined) yield element(node, type);
  }
  yield* specializations(nodes);
  const kinds = new Map<string, NodeKind>(nodes.map(({ id, kind }) => [id, kind]));
  for (const [i, edge] of edges.entries()) {
    const cause = CLASSES[kinds.get(edge.from) ?? 'gap'];
    const effect = CLASSES[kinds.get(edge.to) ?? 'gap'];
    if (cause !== undefined && effect !== undefined) yield* relation(edge, cause, effect, `alastor:edge-${i}`);
  }
}

function element(node: ExportNode, type: Class): Statement {
  const [from, to] = lifeOf(node);
  const software = node.kind === 'function' || node.kind === 'instance';
  return {
    ...{ type, id: named(node.id), label: plain(node.label ?? node.id) },
    formal: type === 'Activity' ? { startTime: iso(from), endTime: iso(to) } : {},
    types: [`alastor:${node.kind}`, ...(software ? ['prov:SoftwareAgent'] : [])],
    attributes: [['id', plain(node.id)], ...attributes(node)],
  };
}

/** One version of an object, one state of a table's item: a specialization of the thing itself. */
function* specializations(nodes: readonly ExportNode[]): Generator<Statement> {
  const listed = new Set<string>(nodes.map(({ id }) => id));
  for (const node of nodes) {
    const [, base] = (node.kind === 'resource' && /^((?:s3:\/\/|ddb:).+)@[^@]*$/s.exec(node.resource)) || [];
    if (base === undefined) continue;
    const general = `resource:${base}`;
    if (!listed.has(general)) {
      listed.add(general);
      const types = ['alastor:resource'];
      yield { type: 'Entity', id: named(general), formal: {}, types, label: plain(base), attributes: [] };
    }
    const formal = { specificEntity: named(node.id), generalEntity: named(general) };
    yield { type: 'Specialization', id: `_:s${listed.size}-${named(node.id).slice(8)}`, formal, attributes: [] };
  }
}

function* relation(edge: Edge, cause: Class, effect: Class, id: string): Generator<Statement> {
  const [from, to] = [named(edge.from), named(edge.to)];
  const time = iso(edge.start);
  const details = { id, attributes: edgeAttributes(edge) };
  if (cause === 'Activity' && effect === 'Activity') {
    if (edge.op === 'start' || edge.op === 'image') {
      yield { type: 'Start', ...details, formal: { activity: to, starter: from, time } };
      return;
    }
    yield { type: 'Communication', ...details, formal: { informed: to, informant: from } };
    if (edge.op === 'data') yield* content(edge, id);
  } else if (cause === 'Entity' && effect === 'Activity') {
    yield { type: 'Usage', ...details, formal: { activity: to, entity: from, time } };
  } else if (cause === 'Activity' && effect === 'Entity') {
    const type = edge.op === 'unlink' ? 'Invalidation' : 'Generation';
    yield { type, ...details, formal: { entity: to, activity: from, time } };
  } else if (cause === 'Entity' && effect === 'Entity') {
    if (edge.op === 'alias') yield { type: 'Alternate', id, attributes: [], formal: { alternate1: to, alternate2: from } };
    else yield { type: 'Derivation', ...details, formal: { generatedEntity: to, usedEntity: from } };
  } else if (cause === 'Agent' && effect === 'Activity') {
    yield { type: 'Association', ...details, formal: { activity: to, agent: from } };
  } else if (cause === 'Agent' && effect === 'Agent') {
    yield { type: 'Delegation', ...details, formal: { delegate: to, responsible: from } };
  } else yield { type: 'Influence', ...details, formal: { influencee: to, influencer: from } };
}

/** What was met again, named by its digest: it left one exchange and came in by the other. */
function* content(edge: Edge, id: string): Generator<Statement> {
  const entity = `${id}-content`;
  const label = plain(edge.by ?? 'content with equal digests');
  yield { type: 'Entity', id: entity, formal: {}, types: ['alastor:content'], label, attributes: [] };
  const sure: Attribute = ['sure', edge.sure];
  yield { type: 'Generation', id: `${id}-left`, formal: { entity, activity: named(edge.from) }, attributes: [sure] };
  yield { type: 'Usage', id: `${id}-came`, formal: { activity: named(edge.to), entity }, attributes: [sure] };
}
