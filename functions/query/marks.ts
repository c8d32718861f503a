/** Marks what stands out where graphs and stories are shown: nodes that deviate from other instances, requests nothing explains. */
import type { InstanceId } from '../../layers/record/types.ts';
import { type BaselineItem, itemOfNode, touchesTree } from '../graph/baseline.ts';
import type { NodeId } from '../graph/ids.ts';
import { Graph } from '../graph/local.ts';
import type { ImageTreeNode, Node } from '../graph/model.ts';
import type { Baseline } from '../store/baselines.ts';
import type { Store } from '../store/connect.ts';
import { inParallel } from '../store/table.ts';
import { seenIn, versionOf } from './baseline.ts';

/**
 * Instances of a graph that are compared, with how many others each, and requests of these: a mark is a hint beside an answer and
 * must cost little. `/v1/instances/{id}/deviations` compares with more.
 */
const MARKED = 8;
const OTHERS = 3;
const PARTITIONS = 12;
/** Instances begun after this many ms are left out. */
const MOST_MS = 2000;

export interface Deviating {
  readonly nodes: ReadonlySet<NodeId>;
  /** With how many others of its version each instance was compared; those that were left out are not in it. */
  readonly compared: readonly { readonly instanceId: InstanceId; readonly instances: number }[];
}

/** Of these nodes, those that no other instance of the function version is known to have read, run or spoken to. */
export async function deviating(nodes: Iterable<Node>, store: Store): Promise<Deviating> {
  const all = [...nodes];
  const items = new Map<InstanceId, Map<NodeId, BaselineItem>>();
  const trees: ImageTreeNode[] = [];
  for (const node of all) {
    if (node.kind === 'image-tree') trees.push(node);
    const item = 'instance' in node ? itemOfNode(node) : undefined;
    if (item === undefined || !('instance' in node)) continue;
    const own = items.get(node.instance) ?? new Map<NodeId, BaselineItem>();
    items.set(node.instance, own.set(node.id, item));
  }
  const until = Date.now() + MOST_MS;
  const found = new Set<NodeId>();
  const compared: { instanceId: InstanceId; instances: number }[] = [];
  await inParallel([...items].slice(0, MARKED), 4, async ([instanceId, own]) => {
    if (Date.now() > until) return;
    const known = await rememberedOf(store).baseline(instanceId);
    if (known === undefined) return;
    const others = known.instances.filter((one) => one !== instanceId).slice(0, OTHERS);
    const elsewhere = await Promise.all(others.map((one) => rememberedOf(store).items(one)));
    compared.push({ instanceId, instances: others.length });
    // With nobody to compare with, everything would stand out, which says nothing.
    if (others.length === 0) return;
    for (const [node, item] of own) {
      if (!known.shownByOthers(item, instanceId) && !elsewhere.some((one) => one.has(item))) found.add(node);
    }
    // Of a tree only its name is in the graph; what was read in it during init is in the baseline.
    const alone = [...known.of(instanceId)].filter((item) => !known.shownByOthers(item, instanceId));
    for (const tree of trees) if (tree.instance === instanceId && touchesTree(alone, tree.root)) found.add(tree.id);
  });
  return { nodes: new Set([...found, ...endpointsOf(all, found)]), compared };
}

/** Peers that only exchanges which deviate were with. */
function endpointsOf(nodes: readonly Node[], found: ReadonlySet<NodeId>): readonly NodeId[] {
  const usual = new Map<string, boolean>();
  for (const node of nodes) {
    if (node.kind !== 'exchange') continue;
    const host = node.host.toLowerCase();
    usual.set(host, (usual.get(host) ?? false) || !found.has(node.id));
  }
  return nodes.flatMap((node) => {
    return node.kind === 'endpoint' && node.host !== undefined && usual.get(node.host.toLowerCase()) === false ? [node.id] : [];
  });
}

/** The graph with what stands out in it marked. */
export function marked(graph: Graph, deviates: ReadonlySet<NodeId>, unexplained: ReadonlySet<NodeId>): Graph {
  if (deviates.size === 0 && unexplained.size === 0) return graph;
  const result = new Graph();
  for (const node of graph.nodes.values()) {
    const marks = {
      ...(deviates.has(node.id) ? { deviates: true as const } : {}),
      ...(unexplained.has(node.id) ? { unexplained: true as const } : {}),
    };
    result.addNode({ ...node, ...marks });
  }
  for (const edge of graph.edges()) {
    const claims = unexplained.has(edge.to) && (edge.op === 'invoke' || edge.op === 'event');
    result.addEdge(claims ? { ...edge, unexplained: true } : edge);
  }
  return result;
}

/** What instances did, for a while: of one that is compared with, a little more or less makes no difference. */
class Remembered {
  readonly #store: Store;
  readonly #items = new Map<InstanceId, Kept<ReadonlySet<BaselineItem>>>();
  readonly #baselines = new Map<InstanceId, Kept<Baseline | undefined>>();

  constructor(store: Store) {
    this.#store = store;
  }

  items(instance: InstanceId): Promise<ReadonlySet<BaselineItem>> {
    return keep(this.#items, instance, async () => new Set((await seenIn(instance, this.#store, PARTITIONS))?.items.keys()));
  }

  /** Of the instance's version, as compared with which it is looked at. */
  baseline(instance: InstanceId): Promise<Baseline | undefined> {
    return keep(this.#baselines, instance, async () => {
      const of = await versionOf(instance, this.#store);
      return of && (await this.#store.baselines.of(of.fn, of.version, instance));
    });
  }
}

interface Kept<T> {
  readonly at: number;
  readonly value: Promise<T>;
}
const FRESH_MS = 60_000;
const MOST_KEPT = 100;

function keep<T>(all: Map<InstanceId, Kept<T>>, instance: InstanceId, read: () => Promise<T>): Promise<T> {
  const known = all.get(instance);
  if (known !== undefined && Date.now() - known.at < FRESH_MS) return known.value;
  if (all.size >= MOST_KEPT) all.clear();
  const value = read();
  // What failed is asked again.
  value.catch(() => all.delete(instance));
  all.set(instance, { at: Date.now(), value });
  return value;
}

const remembered = new WeakMap<Store, Remembered>();

function rememberedOf(store: Store): Remembered {
  const known = remembered.get(store) ?? new Remembered(store);
  remembered.set(store, known);
  return known;
}
