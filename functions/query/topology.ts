import type { NodeId } from '../graph/ids.ts';
import type { Graph } from '../graph/local.ts';
import type { RequestNode } from '../graph/model.ts';
import { DEPLOYING, type Deployed, deploymentsOf, type FunctionFacts, mayHaveOlder, withTopology } from '../graph/topology.ts';
import type { Store } from '../store/connect.ts';
import { inParallel } from '../store/table.ts';

/** Changes of code and configuration of one function. */
const MAX_CHANGES = 100;

/** What the inventory and CloudTrail know of functions; `until` (µs): changes up to then. */
export async function factsOf(
  names: Iterable<string>,
  until: number,
  { inventory, witnesses }: Pick<Store, 'inventory' | 'witnesses'>,
): Promise<ReadonlyMap<string, FunctionFacts>> {
  const unique = [...new Set(names)];
  const configured = await inventory.of(unique, Date.now() * 1000);
  const facts = await inParallel(unique, 8, async (fn): Promise<readonly [string, FunctionFacts]> => {
    // Others, like invocations that were only tried, anybody could make so many of that the deployment is pushed out.
    const { changes, cut } = await witnesses.changes(0, MAX_CHANGES, { fn, until, actions: DEPLOYING });
    const deployed = changes.map(
      ({ at, id, facts: { by, action } }): Deployed => ({ agent: String(by), at, action: String(action), event: id }),
    );
    const known = configured.get(fn);
    return [fn, { deployed, ...(cut ? { cut } : {}), ...(known === undefined ? {} : { configured: known }) }];
  });
  return new Map(facts);
}

/** Lines about requests whose deployment was not found among the changes that were looked at. */
function cutOf(requests: readonly RequestNode[], facts: ReadonlyMap<string, FunctionFacts>): readonly string[] {
  const older = requests.filter((one) => {
    const known = facts.get(one.fn);
    return known !== undefined && mayHaveOlder(known, begun(one));
  });
  return [...new Set(older.map(({ fn }) => fn))].map(
    (fn) => `agents: ${fn} was changed too often to look at all of its changes`,
  );
}

/** The graph with agents and configured ways in, as far as anybody told of them. */
export async function explainedGraph(
  graph: Graph,
  store: Store,
): Promise<{ readonly graph: Graph; readonly cut: readonly string[] }> {
  const requests = [...graph.nodes.values()].filter((node) => node.kind === 'request');
  if (requests.length === 0) return { graph, cut: [] };
  const until = Math.max(...requests.map(begun));
  const facts = await factsOf(new Set(requests.map(({ fn }) => fn)), until, store);
  return { graph: withTopology(graph, facts), cut: cutOf(requests, facts) };
}

const begun = ({ begin, first }: RequestNode) => begin ?? first;

/** Somebody in whose name a step of a story was possible. */
export interface Involved {
  readonly agent: string;
  readonly as: 'role' | 'deployer';
  readonly function: string;
  /** Of a deployer: what was done, when, and CloudTrail's event. */
  readonly action?: string;
  readonly at?: number;
  readonly event?: string;
  /** Of a role: the nodes that made use of its rights. */
  readonly nodes?: readonly NodeId[];
}

/**
 * Agents of a story: who put the code and configuration there that its requests ran with, and the roles with whose rights they
 * called services.
 * @param calls calls of AWS services on the path, by function
 */
export async function agentsOf(
  requests: readonly RequestNode[],
  calls: ReadonlyMap<string, readonly NodeId[]>,
  store: Store,
): Promise<{ readonly agents: readonly Involved[]; readonly cut: readonly string[] }> {
  const byFunction = Map.groupBy(requests, ({ fn }) => fn);
  if (byFunction.size === 0) return { agents: [], cut: [] };
  const facts = await factsOf(byFunction.keys(), Math.max(...requests.map(begun)), store);
  const found = new Map<string, Involved>();
  for (const [fn, own] of byFunction) {
    const known = facts.get(fn);
    if (known === undefined) continue;
    for (const request of own) {
      for (const { agent, at, action, event } of deploymentsOf(known, begun(request)))
        found.set(`${fn}\n${event}`, { agent, as: 'deployer', function: fn, action, at, event });
    }
    const role = known.configured?.role;
    const nodes = calls.get(fn) ?? [];
    if (role !== undefined && role !== '' && nodes.length > 0)
      found.set(`${fn}\nrole`, { agent: role, as: 'role', function: fn, nodes });
  }
  return { agents: [...found.values()], cut: cutOf(requests, facts) };
}
