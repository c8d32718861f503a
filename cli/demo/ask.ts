/** Asks the query API about what happened, once everything is stitched. */
import type { GroundTruth } from '../../examples/hello-retail/attack/ground-truth.ts';
import type { Api, GraphAnswer, PathAnswer, SearchAnswer, WorkflowAnswer } from './api.ts';
import { compare, type Verdict } from './compare.ts';
import { type Forward, forward } from './forward.ts';

export interface Explained {
  readonly truth: GroundTruth;
  /** Lambda requests by which it came in. */
  readonly entries: readonly string[];
  /** One path for each host of the attacker that received something. */
  readonly paths: readonly {
    readonly host: string;
    readonly node: string;
    readonly answer: PathAnswer;
    readonly verdict: Verdict;
  }[];
  /** What its last request set off: the one that did the damage. */
  readonly forward: Forward | undefined;
}

export interface GraphSize {
  readonly scenario: string;
  /** `global`, or the function whose local graph it is. */
  readonly scope: string;
  readonly nodes: number;
  readonly edges: number;
}

export async function explain(api: Api, truth: GroundTruth): Promise<Explained> {
  const entries = await Promise.all(truth.entryRequestApiIds.map((id) => api.entryRequest(id)));
  const workflows = new Map<string, ReadonlySet<string>>();
  for (const [index, id] of truth.entryRequestApiIds.entries()) {
    const { requests } = await api.get<WorkflowAnswer>(`requests/${entries[index]}/workflow`);
    workflows.set(id, new Set(requests.map(({ requestId }) => requestId)));
  }
  const paths: Explained['paths'][number][] = [];
  for (const host of truth.exfilHosts) {
    const { results } = await api.get<SearchAnswer>('search', { q: host });
    const node = results.find(({ kind, label }) => kind === 'endpoint' && label === host)?.node;
    if (node === undefined) throw new Error(`Nothing is known of ${host}: no exchange with it was recorded.`);
    const answer = await api.get<PathAnswer>('path', { node });
    paths.push({ host, node, answer, verdict: compare(truth, host, answer.steps, workflows) });
  }
  const last = entries.at(-1);
  return { truth, entries, paths, forward: last === undefined ? undefined : await forward(api, last) };
}

/** Sizes of the global graph of a scenario and of the local graphs of its functions. */
export async function graphSizes(api: Api, scenario: string, entries: readonly string[]): Promise<GraphSize[]> {
  const whole = new Union();
  const requests = new Map<string, Set<string>>();
  for (const entry of entries) {
    const answer = await api.get<WorkflowAnswer>(`requests/${entry}/workflow`, { limit: '10000' });
    whole.add(answer);
    for (const one of answer.requests) {
      const known = requests.get(one.function) ?? new Set();
      requests.set(one.function, known.add(one.requestId));
    }
  }
  const sizes = [whole.size(scenario, 'global')];
  for (const [fn, ids] of [...requests].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const local = new Union();
    for (const id of ids) local.add(await api.get<GraphAnswer>(`requests/${id}/graph`, { limit: '10000' }));
    sizes.push(local.size(scenario, fn));
  }
  return sizes;
}

/** Graphs merge by set union: ids are made from the evidence. */
class Union {
  readonly #nodes = new Set<string>();
  readonly #edges = new Set<string>();

  add({ nodes, edges, cut }: GraphAnswer): void {
    if (cut.length > 0) throw new Error(`A graph was cut, its size would be wrong: ${cut.join('; ')}`);
    for (const { id } of nodes) this.#nodes.add(id);
    for (const { from, to, op } of edges) this.#edges.add(`${from} ${op} ${to}`);
  }

  size(scenario: string, scope: string): GraphSize {
    return { scenario, scope, nodes: this.#nodes.size, edges: this.#edges.size };
  }
}
