import { isRequest } from './ids.ts';
import type { NodeKind } from './model.ts';
import type { Built, Shard } from './shard.ts';

/** A request whose graph has more than these did something: a program, a file that can be written, a host that is no service. */
const PLAIN: ReadonlySet<NodeKind> = new Set([
  'request',
  'instance',
  'client',
  'process',
  'exchange',
  'resource',
  'image-tree',
]);

/**
 * Whether a segment holds nothing but whole requests that ended well, in which only the runtime acted and called only services
 * of AWS. It says that of itself: to an attacker who uses nothing but services of AWS it is true as well.
 */
export function isPlain({ shards, segment }: Pick<Built, 'shards' | 'segment'>): boolean {
  return segment.gaps + segment.unobserved + segment.linksCut === 0 && shards.length > 0 && shards.every(isWhole);
}

function isWhole({ partition, nodes }: Shard): boolean {
  const request = isRequest(partition) ? nodes.find((node) => node.kind === 'request') : undefined;
  if (request?.kind !== 'request' || request.begin === undefined || request.status !== 'ok') return false;
  return nodes.every((node) => {
    if (node.kind === 'process') return node.started === undefined && node.exited === undefined && node.argv === undefined;
    return PLAIN.has(node.kind);
  });
}
