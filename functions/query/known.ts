import type { NodeId } from '../graph/ids.ts';
import { kindOf } from '../graph/lead.ts';
import type { NodeKind } from '../graph/model.ts';
import { type Budget, DEFAULT_BUDGET, type Direction, fromBeginning, Provenance } from '../graph/provenance.ts';
import type { Store } from '../store/connect.ts';
import { Problem } from './problem.ts';

/** What no index has, for nobody could walk from it to anything that is not everybody's; and what to ask instead. */
const NOT_WALKED: Partial<Record<NodeKind, string>> = {
  client:
    'a client is outside of all that is recorded, so nothing leads to it; what it caused is told by /v1/trace?direction=forward and /v1/blast, and any other question can be asked of one of the requests that they name',
  function: 'a function as a whole has no causes or effects; ask about one of its requests, which /v1/requests?function= lists',
  instance: 'an instance as a whole has no causes or effects; /v1/instances/{id}/graph shows it, and lists its requests',
  'image-tree': 'read-only trees of an image are the same for all requests; ask about one that read it, which graphs show',
  gap: 'a gap has no causes or effects; ask about its request, which /v1/gaps names',
};

/** What will be asked of the node once it is known to be there. */
export interface Next {
  readonly direction: Direction;
  readonly at?: number | undefined;
}

/** The graph, with a node loaded. @throws Problem 400 or 404 naming the parameter when nothing can be told from the node, or is known of it */
export async function known(
  id: NodeId,
  store: Pick<Store, 'source'>,
  parameter = 'node',
  budget: Budget = DEFAULT_BUDGET,
  next?: Next,
): Promise<Provenance> {
  const provenance = new Provenance(store.source, budget);
  if (next !== undefined) provenance.ahead(id, next.at ?? fromBeginning(next.direction), next.direction);
  await mustKnow(provenance, id, parameter);
  return provenance;
}

/** @throws Problem 400 or 404 naming the parameter */
export async function mustKnow(provenance: Provenance, id: NodeId, parameter: string): Promise<void> {
  const instead = NOT_WALKED[kindOf(id)];
  if (instead !== undefined) throw new Problem(400, 'Nothing to walk from', `${parameter}: ${instead}`, parameter);
  if ((await provenance.find(id)) === undefined) throw unknown(id, parameter);
}

export const unknown = (id: NodeId, parameter: string) =>
  new Problem(404, 'No such node', `no record mentions ${id}; it may still be on its way`, parameter);
