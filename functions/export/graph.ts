import { type Edge, LASTING, type Node } from '../graph/model.ts';
import type { Story } from '../graph/story.ts';
import { plain } from './text.ts';

/** What exporters read: nodes and edges as the query API gives them. Texts in it are evidence, that is, hostile. */
export interface ExportGraph {
  readonly nodes: readonly ExportNode[];
  readonly edges: readonly Edge[];
  /** What is not in it, a line each; every export repeats it. */
  readonly cut: readonly string[];
}
export type ExportNode = Node & { readonly label?: string };

/** Marks of what stands out: no other instance did so; nothing configured explains it. */
export interface Marks {
  readonly deviates?: true;
  readonly unexplained?: true;
}

/** Somebody in whose name a step of a story was possible. */
export interface ExportAgent {
  readonly agent: string;
  readonly as: 'role' | 'deployer';
  readonly function: string;
  readonly action?: string;
  readonly at?: number;
}

/** A story as `/v1/path` answers it. */
export type ExportStory = Omit<Story, 'frontier' | 'steps'> & {
  readonly steps: readonly (Story['steps'][number] & Marks)[];
  readonly agents?: readonly ExportAgent[];
  readonly node: string;
  readonly label: string;
  readonly cut: readonly string[];
};

/** Edges of which an end is not listed are left out and counted in `cut`. */
export function closed({ nodes, edges, cut }: ExportGraph): ExportGraph {
  const listed = new Set<string>(nodes.map(({ id }) => id));
  const kept = edges.filter(({ from, to }) => listed.has(from) && listed.has(to));
  const lost = edges.length - kept.length;
  return { nodes, edges: kept, cut: lost === 0 ? cut : [...cut, `edges: ${lost} to or from nodes that are not listed`] };
}

/** A graph without what no step of the story names. */
export function alongStory(graph: ExportGraph, story: ExportStory): ExportGraph {
  const named = new Set<string>(story.steps.map(({ node }) => node));
  const nodes = graph.nodes.filter(({ id }) => named.has(id));
  const edges = graph.edges.filter(({ from, to }) => named.has(from) && named.has(to));
  const lost = named.size - nodes.length;
  const lines = [...new Set([...graph.cut, ...story.cut])];
  return { nodes, edges, cut: lost === 0 ? lines : [...lines, `nodes: ${lost} steps of the story are not in the trace`] };
}

export type Attribute = readonly [name: string, value: string | number | boolean];

/** What is known of a node besides its id and kind, flat: lists joined by spaces, `trigger` as `trigger_type` and so on. */
export function attributes(node: ExportNode): readonly Attribute[] {
  const found: Attribute[] = [];
  for (const [name, value] of Object.entries(node)) {
    if (name === 'id' || name === 'kind' || name === 'label') continue;
    if (Array.isArray(value)) add(found, name, value.map(word).join(' '));
    else if (typeof value === 'object' && value !== null) {
      for (const [inner, text] of Object.entries(value)) add(found, `${name}_${inner}`, text);
    } else add(found, name, value);
  }
  return found;
}

function add(found: Attribute[], name: string, value: unknown): void {
  if (!/^[A-Za-z]\w{0,60}$/.test(name)) return;
  if (typeof value === 'string') found.push([name, plain(value, 4000)]);
  else if (typeof value === 'boolean' || (typeof value === 'number' && Number.isFinite(value))) found.push([name, value]);
}

/** Of a list: a text, or the key of a join key. */
function word(value: unknown): string {
  if (typeof value === 'string') return value;
  return typeof value === 'object' && value !== null && 'key' in value ? String(value.key) : '';
}

export function edgeAttributes(edge: Edge): readonly Attribute[] {
  return [
    ['op', edge.op],
    ['sure', edge.sure],
    ['start', iso(edge.start)],
    ...(edge.end >= LASTING ? [] : [['end', iso(edge.end)] as const]),
    ...(edge.arrive === undefined ? [] : [['arrive', iso(edge.arrive)] as const]),
    ['bytes', edge.bytes],
    ['count', edge.count],
    ...(edge.by === undefined ? [] : [['by', plain(edge.by, 600)] as const]),
    ...(edge.after === true ? [['after', true] as const] : []),
    ...(edge.unexplained === true ? [['unexplained', true] as const] : []),
    ['evidence', evidenceOf(edge).join(' ')],
  ];
}

/** `<segment>#<seq>`, each naming a record. */
export const evidenceOf = ({ evidence }: Pick<Edge, 'evidence'>): readonly string[] =>
  evidence.map(({ segment, seq }) => plain(`${segment}#${seq}`, 600));

/** Begin and end of a node's life, µs. */
export function lifeOf(node: ExportNode): readonly [number, number] {
  const begin = node.kind === 'request' ? node.begin : node.kind === 'process' ? node.started : undefined;
  const end = node.kind === 'request' ? node.end : node.kind === 'process' ? node.exited : undefined;
  const from = begin ?? node.first;
  return [from, Math.max(from, end ?? node.last)];
}

/** Where the process, request or the like is: `<instance>:<partition>`. */
export const placeOf = (node: ExportNode): string | undefined =>
  'instance' in node && 'partition' in node ? `${node.instance}:${node.partition}` : undefined;

/** Functions by their instances, as far as requests and instances in the graph tell. */
export function functionsOf({ nodes }: ExportGraph): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const node of nodes) if (node.kind === 'request' || node.kind === 'instance') found.set(node.instance, node.fn);
  return found;
}

/** A whole number of µs since 1970 that calendars can show. */
export const sane = (micros: number): number =>
  Number.isFinite(micros) ? Math.min(Math.max(Math.round(micros), 0), Number.MAX_SAFE_INTEGER) : 0;

/** RFC 3339, to the µs. */
export function iso(micros: number): string {
  const whole = sane(micros);
  const text = new Date(Math.floor(whole / 1000)).toISOString();
  return `${text.slice(0, -1)}${String(whole % 1000).padStart(3, '0')}Z`;
}
