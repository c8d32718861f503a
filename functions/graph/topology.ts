/** What the platform knows of the functions in a graph, beside what their instances recorded: agents and expected topology. */
import { agentId, functionId, instanceId, type NodeId, triggerId } from './ids.ts';
import { Graph } from './local.ts';
import { type Edge, LASTING, type Operation, type RequestNode } from './model.ts';

/** Configured ways in that a graph shows of one function; all of them are in the inventory. */
const MAX_TRIGGERS = 20;

export interface Trigger {
  readonly by: string;
  readonly who: string;
  readonly source?: string;
  readonly detail?: string;
  readonly idle?: true;
}

/** Who put code or configuration there, as CloudTrail has it. */
export interface Deployed {
  readonly agent: string;
  readonly at: number;
  readonly action: string;
  /** Id of CloudTrail's event. */
  readonly event: string;
}

export interface FunctionFacts {
  readonly configured?: {
    readonly role?: string;
    readonly runtime?: string;
    readonly codeSha256?: string;
    readonly layers: readonly string[];
    readonly audited: boolean;
    readonly sources: readonly Trigger[];
  };
  /** Newest first. */
  readonly deployed: readonly Deployed[];
  /** There are older ones. */
  readonly cut?: true;
}

const CODE = ['CreateFunction', 'UpdateFunctionCode'];
const CONFIGURATION = 'UpdateFunctionConfiguration';
/** Actions by which code or configuration is put there, as CloudTrail names them without the version of the API. */
export const DEPLOYING: readonly string[] = [...CODE, CONFIGURATION];

/** The code and the configuration that a request ran with: the newest change of each before it began. */
export function deploymentsOf(facts: FunctionFacts, began: number): readonly Deployed[] {
  const before = facts.deployed.filter(({ at }) => at <= began);
  const code = before.find(({ action }) => CODE.includes(action));
  const configuration = before.find(({ action, at }) => action === CONFIGURATION && at >= (code?.at ?? 0));
  return [code, configuration].filter((one) => one !== undefined);
}

/** Whether the change of code that a request ran with may be among those that were not looked at. */
export const mayHaveOlder = (facts: FunctionFacts, began: number): boolean =>
  facts.cut === true && !deploymentsOf(facts, began).some(({ action }) => CODE.includes(action));

/** The graph, with the agents of its requests and the configured ways to invoke its functions. */
export function withTopology(graph: Graph, known: ReadonlyMap<string, FunctionFacts>): Graph {
  const result = new Graph();
  result.addGraph(graph);
  const requests = [...graph.nodes.values()].filter((node) => node.kind === 'request');
  for (const [name, own] of Map.groupBy(requests, ({ fn }) => fn)) {
    const facts = known.get(name);
    if (facts === undefined) continue;
    const first = Math.min(...own.map(begun));
    const last = Math.max(...own.map((one) => one.last));
    if (facts.configured !== undefined) addExpected(result, name, facts.configured, own, { first, last });
    for (const request of own) addAgents(result, request, facts);
  }
  return result;
}

const begun = ({ begin, first }: RequestNode) => begin ?? first;

function addAgents(graph: Graph, request: RequestNode, facts: FunctionFacts): void {
  const at = begun(request);
  const add = (name: string, op: Operation, start: number, by?: string) => {
    const agent = agentId(name);
    graph.addNode({ kind: 'agent', id: agent, name, first: start, last: at });
    graph.addEdge({ ...edge(agent, request.id, op, start), end: at, ...(by === undefined ? {} : { by }) });
  };
  if (facts.configured?.role) add(facts.configured.role, 'role', at);
  for (const { agent, at: changed, event } of deploymentsOf(facts, at)) add(agent, 'deploy', changed, `cloudtrail:${event}`);
}

function addExpected(
  graph: Graph,
  name: string,
  { sources, layers, role, runtime, codeSha256, audited }: NonNullable<FunctionFacts['configured']>,
  requests: readonly RequestNode[],
  seen: { readonly first: number; readonly last: number },
): void {
  const known = Object.entries({ role, runtime, codeSha256 }).filter(([, value]) => value !== undefined && value !== '');
  const id = functionId(name);
  graph.addNode({ kind: 'function', id, name, ...Object.fromEntries(known), layers, audited, ...seen });
  for (const instance of new Set(requests.map((one) => one.instance))) {
    const node = instanceId(instance);
    if (graph.nodes.has(node)) graph.addEdge(edge(id, node, 'runs', seen.first));
  }
  // A permission that a route, rule or the like makes use of says nothing more.
  const told = sources.filter(
    (one) => one.idle !== true && !(one.by === 'policy' && sources.some(({ by, who }) => by !== 'policy' && who === one.who)),
  );
  for (const { by, who, source, detail } of told.slice(0, MAX_TRIGGERS)) {
    const trigger = triggerId(by, source ?? who, detail);
    const named = { ...(source === undefined ? {} : { source }), ...(detail === undefined ? {} : { detail }) };
    graph.addNode({ kind: 'trigger', id: trigger, by, who, ...named, ...seen });
    graph.addEdge({ ...edge(trigger, id, 'expected', seen.first), end: LASTING });
  }
}

const edge = (from: NodeId, to: NodeId, op: Operation, start: number): Edge => ({
  ...{ from, to, op, sure: 'exact', start, end: start, bytes: 0, count: 1, evidence: [] },
});
