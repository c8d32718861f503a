/** Which requests of an instance were influenced by earlier ones of it, and through what. */
import type { InstanceId } from '../../layers/record/types.ts';
import { sinceFresh } from './across.ts';
import { INIT, type NodeId, type Partition, shardOf } from './ids.ts';
import { label } from './label.ts';
import { Graph } from './local.ts';
import type { Edge, Evidence, Operation, ProcessNode, Sure } from './model.ts';
import type { Provenance } from './provenance.ts';

/**
 * `read`, `executed`: a file that an earlier request had put there. `loaded`: the same, of code, by the process that serves all
 * requests. `memory`: that process had loaded such code in a request before, and keeps it. `survived`: a process left running.
 */
export type Way = 'read' | 'executed' | 'loaded' | 'memory' | 'survived';

export interface Influence {
  /** Partitions: request ids, or `~init`, `~idle` … */
  readonly from: Partition;
  readonly to: Partition;
  readonly through: 'file' | 'process' | 'memory';
  readonly way: Way;
  readonly node: NodeId;
  readonly label: string;
  /** µs: when it was left, when it was used. */
  readonly left: number;
  readonly used: number;
  /** `memory` is inferred: what a process does with code that it holds is not observed. */
  readonly sure: Sure;
  /** Of the leaving and of the use. */
  readonly evidence: readonly Evidence[];
}

const PUTS: ReadonlySet<Operation> = new Set(['write', 'rename', 'link', 'chmod']);
const USES: ReadonlySet<Operation> = new Set(['read', 'exec']);
/** Names of what a runtime takes in as code and keeps. */
export const CODE = /\.(?:[cm]?js|ts|json|node|py[co]?|pth|so(?:\.[\d.]+)?|rb|class|jar|war|wasm|php|dll|zip|whl|egg)$/i;
/** Steps back along renames and links from a file to who put it there. */
const MAX_NAMES = 64;

/**
 * @param partitions of the instance, in order of time; what lies outside them is not looked at
 * @returns in order of the time of use
 */
export async function influences(
  graph: Provenance,
  instance: InstanceId,
  partitions: readonly Partition[],
): Promise<readonly Influence[]> {
  const whole = await union(graph, instance, partitions);
  const runtime = await graph.runtime(instance);
  const found: Influence[] = [];
  const units: ProcessNode[] = [];
  for (const node of whole.nodes.values()) {
    if (node.kind === 'process') units.push(node);
    if (node.kind !== 'file') continue;
    for (const use of whole.outOf(node.id)) {
      const user = USES.has(use.op) ? whole.nodes.get(use.to) : undefined;
      const to = user === undefined ? undefined : shardOf(user.id)?.partition;
      if (to === undefined) continue;
      const serves = user?.kind === 'process' && runtime?.has(user.proc) === true;
      const way = use.op === 'exec' ? 'executed' : serves && CODE.test(node.path) ? 'loaded' : 'read';
      for (const { put, from } of putters(whole, node.id, use.end)) {
        // What init leaves is the same for every request, unless it comes from a request: then it is none of init's.
        if (from === to || from === INIT) continue;
        const ends = { left: put.start, used: Math.max(use.start, put.start), evidence: [...put.evidence, ...use.evidence] };
        found.push({ from, to, through: 'file', way, node: node.id, label: label(node), sure: surest(put, use), ...ends });
      }
    }
  }
  for (const unit of units) graph.ahead(unit.id, unit.last, 'backward');
  for (const unit of units) found.push(...(await survived(graph, whole, unit)));
  const used = [...found, ...memory(found, units, runtime ?? new Map())];
  return used.sort((a, b) => a.used - b.used || (a.from < b.from ? -1 : 1));
}

const surest = (a: Edge, b: Edge): Sure => (a.sure === 'exact' && b.sure === 'exact' ? 'exact' : 'inferred');

async function union(graph: Provenance, instance: InstanceId, partitions: readonly Partition[]): Promise<Graph> {
  const whole = new Graph();
  for (const local of await graph.locals(instance, partitions)) whole.addGraph(local);
  return whole;
}

/** Who had put what was in a file by then, under this name or one that it had before. */
function putters(whole: Graph, file: NodeId, by: number): readonly { readonly put: Edge; readonly from: Partition }[] {
  const found: { readonly put: Edge; readonly from: Partition }[] = [];
  const queue = [{ file, by }];
  const seen = new Set<NodeId>();
  for (let one = queue.shift(); one !== undefined && seen.size < MAX_NAMES; one = queue.shift()) {
    if (seen.has(one.file)) continue;
    seen.add(one.file);
    const { by: until } = one;
    const puts = whole.into(one.file).filter(({ start }) => start <= until);
    for (const put of sinceFresh(puts, until)) {
      if (put.from.startsWith('file:')) queue.push({ file: put.from, by: Math.min(until, put.end) });
      const from = PUTS.has(put.op) ? shardOf(put.from)?.partition : undefined;
      if (from !== undefined) found.push({ put, from });
    }
  }
  return found;
}

async function survived(graph: Provenance, whole: Graph, unit: ProcessNode): Promise<readonly Influence[]> {
  const lineage = await graph.causesOf(unit.id, unit.last);
  return lineage.flatMap((edge): Influence[] => {
    const from = edge.op === 'survive' ? shardOf(edge.from)?.partition : undefined;
    if (from === undefined || from === unit.partition || !whole.nodes.has(edge.from)) return [];
    const named = label(graph.nodes.get(unit.id) ?? unit);
    const times = { left: edge.start, used: unit.first, evidence: edge.evidence };
    const what = { node: unit.id, label: named, sure: edge.sure } as const;
    return [{ from, to: unit.partition, through: 'process', way: 'survived', ...what, ...times }];
  });
}

/** Once the process that serves all requests has loaded what an earlier one left, all later ones run with it. */
function memory(
  found: readonly Influence[],
  units: readonly ProcessNode[],
  runtime: ReadonlyMap<ProcessNode['proc'], unknown>,
): readonly Influence[] {
  const serving = units.filter(({ proc }) => runtime.has(proc)).sort((a, b) => a.first - b.first);
  const told = new Set(found.map(({ from, to, node }) => `${from}\n${to}\n${node}`));
  return found
    .filter(({ way }) => way === 'loaded')
    .flatMap((load) =>
      serving.flatMap((unit): Influence[] => {
        const name = `${load.from}\n${unit.partition}\n${load.node}`;
        if (unit.first <= load.used || unit.partition === load.to || told.has(name)) return [];
        told.add(name);
        return [{ ...load, to: unit.partition, through: 'memory', way: 'memory', used: unit.first, sure: 'inferred' }];
      }),
    );
}
