/** How one node of a story leads to the next: an edge followed against its direction, and in which capacity. */
import type { NodeId } from './ids.ts';
import type { Edge, Node } from './model.ts';

/** What was read before the sending: `none` of it, the `data` itself, or `all`, followed into the functions that answered. */
export type Inputs = 'none' | 'data' | 'all';

/** In which capacity a node is on the path; it decides which of its causes matter. */
export type Because = 'start' | 'sent' | 'answered' | 'acted' | 'planted' | 'held' | 'ran' | 'leaf';

export interface Lead {
  readonly to: NodeId;
  readonly because: Because;
  readonly at: number;
  readonly edge: Edge;
  readonly touched: boolean;
  readonly follow: boolean;
  readonly reason: string;
}

export interface Cause {
  readonly edge: Edge;
  /** Latest time at which the cause can have mattered. */
  readonly until: number;
}

type Kind = Node['kind'];
export const kindOf = (id: NodeId) => id.slice(0, id.indexOf(':')) as Kind;

export function lead({ edge, until }: Cause, reason: string | undefined, because: Because, touched = false): readonly Lead[] {
  if (reason === undefined) return [];
  return [{ to: edge.from, because, at: until, edge, touched, follow: because !== 'leaf', reason }];
}
