/** Does what an investigator would do with one odd fact, and holds the answer against what the attacker knows. */
import type { Api, GraphAnswer, PathAnswer, SearchAnswer, WorkflowAnswer } from '../../cli/demo/api.ts';
import { compare } from '../../cli/demo/compare.ts';
import type { Step } from '../../examples/hello-retail/attack/ground-truth.ts';
import type { Fact } from './scenario.ts';

/** The kind of node that a fact names. */
const KIND: { readonly [W in Fact['what']]: string } = {
  address: 'endpoint',
  domain: 'endpoint',
  file: 'file',
  hash: 'exchange',
  object: 'resource',
  process: 'process',
  request: 'request',
};

export interface Judged {
  readonly fact: Fact;
  readonly node: string;
  /** Steps of the attack, and how many the story names. */
  readonly steps: number;
  readonly found: number;
  readonly recall: number;
  /** Share of the story's nodes that are the attack's or lawfully upstream of it. */
  readonly precision: number;
  readonly missed: readonly string[];
  readonly extra: readonly string[];
  /** What a human reads: the story's nodes. */
  readonly nodes: number;
  /** What a plain backward trace from the same node holds. */
  readonly trace: number;
  readonly story: PathAnswer;
}

export async function investigate(
  api: Api,
  fact: Fact,
  entries: readonly string[],
  steps: readonly Step[],
  name: string,
): Promise<Judged> {
  const node = await find(api, fact);
  const workflows = new Map<string, ReadonlySet<string>>();
  for (const entry of entries) {
    const { requests } = await api.get<WorkflowAnswer>(`requests/${await api.entryRequest(entry)}/workflow`, { joins: 'all' });
    workflows.set(entry, new Set(requests.map(({ requestId }) => requestId)));
  }
  const story = await api.get<PathAnswer>('path', { node });
  const verdict = compare({ steps }, name, story.steps, workflows);
  const trace = await api.get<GraphAnswer>('trace', { node, direction: 'backward', limit: '5000', partitions: '2000' });
  const nodes = story.steps.length;
  return {
    ...{ fact, node, steps: verdict.steps, found: verdict.found, missed: verdict.missed, extra: verdict.extra },
    recall: verdict.steps === 0 ? 0 : verdict.found / verdict.steps,
    precision: nodes === 0 ? 0 : (nodes - verdict.extra.length) / nodes,
    ...{ nodes, trace: trace.counts.nodes, story },
  };
}

type Hit = SearchAnswer['results'][number] & { readonly last: number };

async function find(api: Api, { what, q }: Fact): Promise<string> {
  const asked = what === 'request' ? `apigw:${q}` : q;
  const as = what === 'address' || what === 'process' ? { as: what } : {};
  const { results } = await api.get<{ readonly results: readonly Hit[] }>('search', { q: asked, ...as });
  // Content may be met at many places: what matters is the last one at which it left.
  const found = results
    .filter(({ kind, label }) => kind === KIND[what] && (what !== 'hash' || /^[A-Z]+ https?:/.test(label)))
    .reduce<Hit | undefined>((a, b) => (a && a.last >= b.last ? a : b), undefined);
  if (found === undefined) {
    const others = results.map(({ kind, label }) => `${kind} ${label}`).join(', ');
    throw new Error(`A search for the ${what} ${q} finds no ${KIND[what]}, but ${others === '' ? 'nothing' : others}.`);
  }
  return found.node;
}

/** Nodes of everything that was recorded: all local graphs of all instances together. */
export async function wholeGraph(api: Api): Promise<number> {
  const nodes = new Set<string>();
  let cursor: string | undefined;
  do {
    const page: { instances: { instanceId: string }[]; cursor?: string } = await api.get('instances', {
      limit: '100',
      ...(cursor !== undefined && { cursor }),
    });
    for (const { instanceId } of page.instances) {
      const graph = await api.get<GraphAnswer>(`instances/${instanceId}/graph`, { limit: '10000' });
      if (graph.cut.length > 0) throw new Error(`The graph of instance ${instanceId} was cut: ${graph.cut.join('; ')}`);
      for (const { id } of graph.nodes) nodes.add(id);
    }
    cursor = page.cursor;
  } while (cursor !== undefined);
  return nodes.size;
}
