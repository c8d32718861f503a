import type { NodeId } from '../graph/ids.ts';
import { type Budget, DEFAULT_BUDGET, Provenance } from '../graph/provenance.ts';
import type { Store } from '../store/connect.ts';
import { Problem } from './problem.ts';

/** The graph, with a node loaded. @throws Problem 404 naming the parameter when nothing is known of the node */
export async function known(
  id: NodeId,
  store: Pick<Store, 'source'>,
  parameter = 'node',
  budget: Budget = DEFAULT_BUDGET,
): Promise<Provenance> {
  const provenance = new Provenance(store.source, budget);
  if ((await provenance.find(id)) !== undefined) return provenance;
  throw new Problem(404, 'No such node', `no record mentions ${id}; it may still be on its way`, parameter);
}
