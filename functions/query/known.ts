import type { NodeId } from '../graph/ids.ts';
import { type Budget, DEFAULT_BUDGET, type Direction, fromBeginning, Provenance } from '../graph/provenance.ts';
import type { Store } from '../store/connect.ts';
import { Problem } from './problem.ts';

/** What will be asked of the node once it is known to be there. */
export interface Next {
  readonly direction: Direction;
  readonly at?: number | undefined;
}

/** The graph, with a node loaded. @throws Problem 404 naming the parameter when nothing is known of the node */
export async function known(
  id: NodeId,
  store: Pick<Store, 'source'>,
  parameter = 'node',
  budget: Budget = DEFAULT_BUDGET,
  next?: Next,
): Promise<Provenance> {
  const provenance = new Provenance(store.source, budget);
  if (next !== undefined) provenance.ahead(id, next.at ?? fromBeginning(next.direction), next.direction);
  if ((await provenance.find(id)) !== undefined) return provenance;
  throw new Problem(404, 'No such node', `no record mentions ${id}; it may still be on its way`, parameter);
}
