/** The story of an attack, and the three questions that an investigation begins with, each as one call. */
import { z } from 'zod';
import type { InstanceId } from '../../layers/record/types.ts';
import { acts } from '../graph/acts.ts';
import { boundaries } from '../graph/boundaries.ts';
import { INIT, instanceId, isRequest, type NodeId, type Partition, requestId, shardOf } from '../graph/ids.ts';
import { label } from '../graph/label.ts';
import { compare, type Profile, profile } from '../graph/profile.ts';
import { DEFAULT_BUDGET, Provenance } from '../graph/provenance.ts';
import { type Story, story } from '../graph/story.ts';
import type { Store } from '../store/connect.ts';
import { inParallel } from '../store/table.ts';
import { requestsOf, unexplainedIn } from './graphs.ts';
import { known } from './known.ts';
import { deviating } from './marks.ts';
import { limit, node, read, time } from './parameters.ts';
import { cutLines } from './present.ts';
import { Problem } from './problem.ts';
import type { Route } from './routes.ts';
import { agentsOf } from './topology.ts';

const telling = {
  at: time.optional(),
  limit: limit(500, 5000),
  inputs: z.enum(['none', 'data', 'all']).default('data'),
  joins: z.enum(['exact', 'all']).default('all'),
};
export const pathQuery = z.object({ node, ...telling });

type Asked = Omit<z.output<typeof pathQuery>, 'node'>;

async function tell(provenance: Provenance, id: NodeId, { limit: most, inputs, at, joins }: Asked): Promise<Story> {
  const scope = { limit: most, inputs, exactOnly: joins === 'exact' };
  return await story(provenance, id, { ...scope, ...(at === undefined ? {} : { at }) });
}

function present(provenance: Provenance, id: NodeId, told: Story) {
  const start = provenance.nodes.get(id);
  const named = { node: id, label: start === undefined ? id : label(start) };
  return { ...named, ...told, boundaries: boundaries(told.steps), cut: cutLines(told.frontier) };
}

export const path: Route = async ({ query, store }) => {
  const asked = read(pathQuery, query);
  const provenance = await known(asked.node, store, 'node', DEFAULT_BUDGET, { direction: 'backward', at: asked.at });
  const told = await tell(provenance, asked.node, asked);
  const answer = present(provenance, asked.node, told);
  return { ...answer, acts: acts(told.steps), ...(await beside(provenance, told, answer.cut, store)) };
};

/** What stands out in a story and who was behind it: its steps with marks, and agents. */
async function beside(provenance: Provenance, { steps, requests: served }: Story, cut: readonly string[], store: Store) {
  const requests = served.flatMap(({ instanceId, requestId: id }) => {
    const one = provenance.nodes.get(requestId(instanceId, id as Partition));
    return one?.kind === 'request' ? [one] : [];
  });
  const nodes = steps.flatMap((step) => provenance.nodes.get(step.node) ?? []);
  const calls = new Map<string, NodeId[]>();
  for (const node of nodes) {
    const fn = node.kind === 'exchange' && node.aws ? steps.find((step) => step.node === node.id)?.function : undefined;
    if (fn !== undefined) calls.set(fn, [...(calls.get(fn) ?? []), node.id]);
  }
  const [unexplained, deviates, involved] = await Promise.all([
    unexplainedIn(requests, store),
    deviating(nodes, store),
    agentsOf(requests, calls, store),
  ]);
  const odd = new Set(unexplained);
  return {
    steps: steps.map((step) => ({
      ...step,
      ...(deviates.nodes.has(step.node) ? { deviates: true as const } : {}),
      ...(odd.has(step.node) ? { unexplained: true as const } : {}),
    })),
    ...{ unexplained, compared: deviates.compared, agents: involved.agents, cut: [...cut, ...involved.cut] },
  };
}

const subject = {
  node: node.optional(),
  request: z.string().min(1).max(300).optional(),
  instance: z.string().max(64).optional(),
};
export const questionQuery = z.object({ ...subject, ...telling });

/** The node that a question is about: named itself, or as a request. */
async function subjectOf(
  asked: { node?: NodeId | undefined; request?: string | undefined; instance?: string | undefined },
  store: Store,
): Promise<{ readonly node: NodeId; readonly cut: readonly string[] }> {
  if (asked.node !== undefined && asked.request !== undefined) {
    throw new Problem(400, 'Invalid parameter', 'request: cannot be given beside node', 'request');
  }
  if (asked.node !== undefined) return { node: asked.node, cut: [] };
  if (asked.request === undefined) throw new Problem(400, 'Invalid parameter', 'node: is required, or request', 'node');
  const { nodes, cut } = await requestsOf(asked.request, asked.instance, store, 'request');
  const [first, ...others] = nodes;
  if (first === undefined)
    throw new Problem(404, 'No such request', `no request ${asked.request} has been stitched`, 'request');
  const more = others.map((id) => `request: ${id} has the same id; name one by instance`);
  return { node: first, cut: [...cut, ...more] };
}

/** RQ2: what happened? The story in sentences, where it came in, what it passed through, where data went. */
export const explanation: Route = async ({ query, store }) => {
  const asked = read(questionQuery, query);
  const about = await subjectOf(asked, store);
  const provenance = await known(about.node, store, asked.request === undefined ? 'node' : 'request', DEFAULT_BUDGET, {
    ...{ direction: 'backward', at: asked.at },
  });
  const told = await tell(provenance, about.node, asked);
  const answer = present(provenance, about.node, told);
  const shown = { ...answer, ...(await beside(provenance, told, answer.cut, store)) };
  const left = told.steps.flatMap(({ kind, node: id, label: named, parent, bytes, requestId }) => {
    if (kind !== 'exchange' || parent === undefined || told.steps[parent]?.kind !== 'endpoint') return [];
    return [
      {
        to: told.steps[parent]?.label ?? '',
        by: id,
        label: named,
        bytes: bytes ?? 0,
        ...(requestId === undefined ? {} : { requestId }),
      },
    ];
  });
  return {
    ...{ node: shown.node, label: shown.label },
    explanation: told.steps.map((step, i) => {
      const where = step.requestId === undefined ? '' : ` [${step.function ?? '?'}, request ${step.requestId}]`;
      const from = step.parent === undefined ? '' : ` → ${step.parent + 1}`;
      const how = `${step.by === undefined ? '' : `, by ${step.by}`}${step.sure === 'exact' ? '' : ', inferred'}`;
      return `${i + 1}. ${step.label}${where}: ${step.reason}${how}${from}`;
    }),
    ...{ entries: told.requests.filter(({ entry }) => entry), requests: told.requests, instances: told.instances },
    ...{ boundaries: shown.boundaries, reused: told.reused, left, steps: shown.steps, acts: acts(told.steps) },
    ...{ unexplained: shown.unexplained, compared: shown.compared, agents: shown.agents },
    cut: [...about.cut, ...shown.cut],
  };
};

/** RQ3: did the attack make use of what an earlier request had left in a container? */
export const reuseQuestion: Route = async ({ query, store }) => {
  const asked = read(questionQuery, query);
  const about = await subjectOf(asked, store);
  const provenance = await known(about.node, store, asked.request === undefined ? 'node' : 'request', DEFAULT_BUDGET, {
    ...{ direction: 'backward', at: asked.at },
  });
  const told = await tell(provenance, about.node, asked);
  const how = told.reused.map((one) => {
    // Of the file or process itself, where the story has it.
    const steps = told.steps.filter(({ node: id }) => id === one.node);
    return {
      ...one,
      evidence: steps.flatMap(({ evidence }) => evidence),
      sure: steps.every(({ sure }) => sure === 'exact') ? 'exact' : 'inferred',
    };
  });
  return {
    ...{ node: about.node, reused: how.length > 0, complete: told.frontier.length === 0 },
    ...{ how, requests: told.requests, instances: [...new Set(how.map(({ instanceId: id }) => id))] },
    cut: [...about.cut, ...cutLines(told.frontier)],
  };
};

export const deviationQuery = z.object({
  ...{ request: z.string().min(1).max(300), instance: z.string().max(64).optional() },
  ...{ since: time.optional(), until: time.optional(), sample: limit(50, 200) },
});
/** Entries of the function looked at to find so many of the same version. */
const LOOKED_AT = 4;
const DAY = 86_400_000_000;

/** RQ1: does a request differ from what its function, in this version, normally does, and in what? */
export const deviation: Route = async ({ query, store }) => {
  const asked = read(deviationQuery, query);
  const about = await subjectOf(asked, store);
  const provenance = await known(about.node, store, 'request', { partitions: 1, linksPerKey: 1 });
  const request = provenance.nodes.get(about.node);
  if (request?.kind !== 'request') throw new Problem(404, 'No such request', `${about.node} is no request`, 'request');
  const own = await profileOf(about.node, store);
  const versions = new Map<InstanceId, Promise<string | undefined>>();
  const versionOf = (id: InstanceId) => {
    const found =
      versions.get(id) ??
      store.source.shardsOf(id, INIT).then((shards) => {
        const one = shards.flatMap(({ nodes }) => nodes).find((each) => each.id === instanceId(id));
        return one?.kind === 'instance' ? one.version : undefined;
      });
    versions.set(id, found);
    return found;
  };
  const version = await versionOf(request.instance);
  const at = request.begin ?? request.first;
  const since = asked.since ?? Math.max(0, at - 7 * DAY);
  const page = await store.lists.requests({
    ...{ since, fn: request.fn, limit: asked.sample * LOOKED_AT },
    ...(asked.until === undefined ? {} : { until: asked.until }),
  });
  const same = await inParallel(page.entries, 8, async (entry) => (await versionOf(entry.instance)) === version);
  const others = page.entries.filter((entry, i) => {
    return (
      same[i] && isRequest(entry.partition) && !(entry.instance === request.instance && entry.partition === request.partition)
    );
  });
  const sample = others.slice(0, asked.sample);
  const profiles = await inParallel(sample, 8, ({ instance, partition }) => profileOf(requestId(instance, partition), store));
  const { traits, measures } = compare(
    own.profile,
    profiles.map((one) => one.profile),
  );
  const more = page.next !== undefined || others.length > sample.length;
  const cut = [
    ...(more ? [`sample: the newest ${sample.length} of more requests; raise sample, or move since and until`] : []),
    ...(sample.length === 0 ? ['sample: the function has no other request in this time, so nothing can be said'] : []),
    ...(own.cut || profiles.some((one) => one.cut) ? ['index: of some of these requests not all was indexed'] : []),
  ];
  return {
    ...{ node: about.node, function: request.fn, ...(version === undefined ? {} : { version }) },
    deviates: sample.length === 0 ? null : traits.length + measures.length > 0,
    ...{ traits, measures },
    sample: {
      ...{ requests: sample.length, instances: new Set(sample.map(({ instance }) => instance)).size },
      ...{ from: Math.min(at, ...sample.map((one) => one.at)), to: Math.max(at, ...sample.map((one) => one.at)) },
    },
    cut: [...about.cut, ...cut],
  };
};

async function profileOf(id: NodeId, store: Store): Promise<{ readonly profile: Profile; readonly cut: boolean }> {
  const provenance = new Provenance(store.source, { partitions: 1, linksPerKey: 1 });
  const place = shardOf(id);
  const graph = place && (await provenance.local(place.instance, place.partition, id));
  if (graph === undefined) throw new Problem(404, 'No such request', `nothing is known of ${id}`, 'request');
  return { profile: profile(graph), cut: provenance.cuts.length > 0 };
}
