import type { InstanceId } from '../../layers/record/types.ts';
import { Errands } from './errands.ts';
import { instanceOf, isRequest, type NodeId, type Partition, shardOf } from './ids.ts';
import { label } from './label.ts';
import { type Because, kindOf, type Lead } from './lead.ts';
import { type Edge, type Evidence, LASTING, type Node, type Operation } from './model.ts';
import type { Provenance } from './provenance.ts';
import { leadsOf, type Scope } from './relevance.ts';
import { follow, type Trace } from './walk.ts';

/** `start`: what was asked about. `carried`: the attack passed through it. `touched`: read on the way, not followed. */
export type Role = 'start' | 'carried' | 'touched';

export interface Step {
  readonly node: NodeId;
  readonly kind: Node['kind'];
  readonly label: string;
  readonly role: Role;
  readonly requestId?: string;
  readonly instanceId?: InstanceId;
  readonly function?: string;
  /** µs since 1970, by the clock of its instance. */
  readonly at: number;
  readonly reason: string;
  /** Operation of the edge to the step that it explains. */
  readonly via?: Operation;
  /** Of a hand-over: the identifier that both ends know. */
  readonly by?: string;
  readonly sure: Edge['sure'];
  readonly bytes?: number;
  readonly evidence: readonly Evidence[];
  /** Index of the step that it explains, in this list; absent for the start. Printed by it, the steps are a tree. */
  readonly parent?: number;
  /** All steps it explains, `parent` among them: one file may have been used, one client have called, more than once. */
  readonly explains: readonly number[];
}

/** Something that one request left in an instance and another one used. */
export interface Reuse {
  readonly what: 'file' | 'process';
  readonly node: NodeId;
  readonly label: string;
  readonly instanceId: InstanceId;
  readonly from: string;
  readonly to: string;
}

export interface Story {
  readonly steps: readonly Step[];
  readonly requests: readonly {
    readonly requestId: string;
    readonly instanceId: InstanceId;
    readonly function: string;
    readonly entry: boolean;
  }[];
  readonly instances: readonly InstanceId[];
  readonly reused: readonly Reuse[];
  readonly frontier: Trace['frontier'];
}

interface Found {
  readonly id: NodeId;
  readonly because: Because;
  readonly at: number;
  readonly edge?: Edge;
  readonly parent?: NodeId;
  readonly touched: boolean;
  readonly reason: string;
  readonly order: number;
  /** All it was reached from, shared by whatever replaces this entry. */
  readonly explains: Set<NodeId>;
}

/**
 * The path by which an attack came to a node: what carried it, back to the requests from outside, and what was read on the
 * way. The rules are in `relevance.ts` and docs/graph-model.md.
 */
export async function story(
  graph: Provenance,
  start: NodeId,
  options: Scope & { readonly at?: number; readonly limit: number },
): Promise<Story> {
  const found = new Map<NodeId, Found>();
  const expanded = new Map<string, number>();
  const frontier: Story['frontier'][number][] = [];
  const first: Found = {
    ...{
      id: start,
      because: 'start',
      at: options.at ?? LASTING,
      touched: false,
      reason: 'the node asked about',
      order: 0,
      explains: new Set(),
    },
  };
  found.set(start, first);
  const edges: Edge[] = [];
  const queue: Found[] = [first];
  const errands = new Errands(options.limit);
  // What leads lead to, and so on, all at once, for what is loaded on the way: the story will ask for the same.
  const scout = (id: NodeId, because: Because, at: number): Promise<void> =>
    errands.send(`${id}\n${because}\n${at}`, async () => {
      const ahead = graph.scout;
      if (ahead === undefined) return;
      if (kindOf(id) === 'process') void early(ahead, id, at);
      for (const lead of await leadsOf(ahead, id, because, at, options)) {
        if (lead.follow) void scout(lead.to, lead.because, lead.at);
      }
    });
  // Who started a unit, and for which request, its own partition tells before it is known what else there is.
  const early = async (ahead: Provenance, id: NodeId, until: number) => {
    for (const edge of await ahead.edgesWithin(id, 'backward').catch(() => [])) {
      const at = follow(edge, until, 'backward');
      if (at !== undefined && BEFORE_ALL.has(edge.op)) void scout(edge.from, 'acted', at);
    }
  };
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    const key = `${next.id}\n${next.because}`;
    if ((expanded.get(key) ?? -1) >= next.at) continue;
    expanded.set(key, next.at);
    await scout(next.id, next.because, next.at);
    await graph.find(next.id);
    for (const lead of await leadsOf(graph, next.id, next.because, next.at, options)) {
      const known = found.get(lead.to);
      if (known === undefined && found.size >= options.limit) {
        if (!frontier.some(({ node }) => node === next.id)) frontier.push({ node: next.id, why: 'limit' });
        continue;
      }
      const step = toFound(lead, next.id, known?.order ?? found.size, known?.explains ?? new Set());
      step.explains.add(next.id);
      if (known === undefined) found.set(lead.to, step);
      // First reached as something merely touched, it may turn out to have carried the attack. It keeps its place in the tree.
      else if (known.touched && !step.touched) found.set(lead.to, { ...known, touched: false });
      edges.push(lead.edge);
      if (!lead.follow) continue;
      queue.push(step);
      void scout(step.id, step.because, step.at);
    }
  }
  return {
    ...toSteps(graph, [...found.values()]),
    reused: reuses(graph, edges),
    frontier: [...frontier, ...graph.cuts],
  };
}

const BEFORE_ALL: ReadonlySet<Operation> = new Set(['start', 'image', 'event']);

function toFound(lead: Lead, parent: NodeId, order: number, explains: Set<NodeId>): Found {
  const { to: id, because, at, edge, touched, reason } = lead;
  return { id, because, at, edge, parent, touched, reason, order, explains };
}

function toSteps(graph: Provenance, all: readonly Found[]): Pick<Story, 'steps' | 'requests' | 'instances'> {
  const timed = all.flatMap((one) => {
    const node = graph.nodes.get(one.id);
    return node === undefined ? [] : [{ one, node, at: happened(node, one) }];
  });
  const ended = Math.max(...timed.map(({ at }) => (at === LASTING ? 0 : at)));
  for (const step of timed) if (step.at === LASTING) step.at = ended;
  // Causes before effects where the clock does not tell: what was found later lies further back.
  timed.sort((a, b) => a.at - b.at || b.one.order - a.one.order);
  const index = new Map(timed.map(({ one }, i) => [one.id, i]));
  const steps = timed.map(({ one, node, at }): Step => {
    const parent = one.parent === undefined ? undefined : index.get(one.parent);
    const place = placeOf(graph, one);
    return {
      ...{
        node: one.id,
        kind: node.kind,
        label: label(node),
        role: one.parent === undefined ? 'start' : one.touched ? 'touched' : 'carried',
      },
      ...(place?.partition !== undefined && isRequest(place.partition) ? { requestId: place.partition } : {}),
      ...(place === undefined ? {} : { instanceId: place.instance, ...fnOf(graph, place) }),
      ...{ at, reason: one.reason, sure: one.edge?.sure ?? 'exact', evidence: one.edge?.evidence ?? [] },
      ...(one.edge === undefined ? {} : { via: one.edge.op }),
      ...(one.edge?.by === undefined ? {} : { by: one.edge.by }),
      ...(one.edge !== undefined && one.edge.bytes > 0 ? { bytes: one.edge.bytes } : {}),
      ...(parent === undefined ? {} : { parent }),
      explains: [...one.explains].flatMap((id) => index.get(id) ?? []).sort((a, b) => a - b),
    };
  });
  const entries = new Set(all.flatMap(({ id, explains }) => (id.startsWith('client:') ? [...explains] : [])));
  const requests = steps.flatMap((step) => {
    const node = graph.nodes.get(step.node);
    if (node?.kind !== 'request') return [];
    return [{ requestId: node.partition, instanceId: node.instance, function: node.fn, entry: entries.has(node.id) }];
  });
  return { steps, requests, instances: [...new Set(steps.flatMap(({ instanceId }) => instanceId ?? []))] };
}

/** When the node did its part: for what lasts (a file, an endpoint) the time of the flow, for an act its own. */
function happened(node: Node, { edge, at }: Found): number {
  switch (node.kind) {
    case 'request':
      return node.begin ?? node.first;
    case 'process':
      return node.started ?? node.first;
    case 'exchange':
      return node.first;
    default:
      if (edge === undefined) return at;
      return edge.arrive ?? edge.start;
  }
}

/** Shared nodes belong to the request in which they did their part; files to an instance in any case. */
function placeOf(graph: Provenance, { id, edge }: Found): { instance: InstanceId; partition?: Partition } | undefined {
  const own = shardOf(id);
  if (own !== undefined) return own;
  const instance = instanceOf(id);
  if (instance !== undefined) return edge?.partition === undefined ? { instance } : { instance, partition: edge.partition };
  for (const end of [edge?.from, edge?.to]) {
    const place = end === undefined ? undefined : shardOf(end);
    if (place !== undefined && graph.nodes.get(id)?.kind !== 'client') return place;
  }
  return undefined;
}

function fnOf(graph: Provenance, place: { instance: InstanceId; partition?: Partition }): { function?: string } {
  for (const node of graph.nodes.values()) {
    if ((node.kind === 'request' || node.kind === 'instance') && node.instance === place.instance) return { function: node.fn };
  }
  return {};
}

function reuses(graph: Provenance, edges: readonly Edge[]): readonly Reuse[] {
  const reused = new Map<string, Reuse>();
  const add = (what: Reuse['what'], id: NodeId, instanceId: InstanceId, from: Partition, to: Partition) => {
    const node = graph.nodes.get(id);
    if (from === to || node === undefined) return;
    reused.set(`${id}\n${from}\n${to}`, { what, node: id, label: label(node), instanceId, from, to });
  };
  const users = new Map<NodeId, Partition[]>();
  for (const { from, to } of edges) {
    const reader = from.startsWith('file:') ? shardOf(to) : undefined;
    if (reader !== undefined) users.set(from, [...(users.get(from) ?? []), reader.partition]);
  }
  for (const { from, to, op } of edges) {
    const before = shardOf(from);
    if (before === undefined) continue;
    const later = op === 'survive' ? shardOf(to) : undefined;
    if (later !== undefined) add('process', from, before.instance, before.partition, later.partition);
    for (const user of users.get(to) ?? []) add('file', to, before.instance, before.partition, user);
  }
  return [...reused.values()];
}
