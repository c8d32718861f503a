import { createHash } from 'node:crypto';
import type { AuditRecord, InstanceId, ProcessId } from '../../layers/record/types.ts';

declare const brand: unique symbol;
type Branded<T, B extends string> = T & { readonly [brand]: B };

/** `<kind>:<parts>`, made from the evidence alone, so that the same observation always yields the same id. */
export type NodeId = Branded<string, 'NodeId'>;
/**
 * What an instance did during one request (its cleaned id), or outside any: `~init`, `~idle`, `~shutdown`; `~concurrent` while
 * several requests ran and nothing told which of them it belongs to.
 */
export type Partition = Branded<string, 'Partition'>;
/** Under which links are found: a join key, or an index key such as `host:evil.example`. */
export type LinkKey = Branded<string, 'LinkKey'>;

/** Longest text taken over from evidence into an id, in UTF-16 units: keeps keys under DynamoDB's 2,048 bytes in any script. */
const LONGEST = 480;

// Control characters, line separators, direction overrides, zero-width characters and lone surrogates would let evidence
// draw over what an investigator reads; `%` is escaped so that escaping stays reversible.
const UNSAFE = /[%\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;
/** In an inner part of an id also what separates parts of ids and of sort keys, and what marks partitions. */
const SEPARATORS = /[:#~@]/g;

/** Nothing to escape: most of what is recorded. */
const SAFE = /^[\x20-\x24\x26-\x7e]*$/;
const SAFE_PART = /^[\w./+=$-]*$/;

/** Text from evidence, safe to show and to store: unsafe characters percent-encoded, length bounded by a digest of the rest. */
export function clean(text: string, longest: number = LONGEST): string {
  if (text.length <= longest && SAFE.test(text)) return text;
  const safe = text.replace(UNSAFE, percent);
  if (safe.length <= longest) return safe;
  const digest = createHash('sha256').update(safe).digest('hex').slice(0, 16);
  return `${safe.slice(0, longest - 18).replace(/[\ud800-\udbff]$/, '')}…%${digest}`;
}

/** Text from evidence for people: what could not be seen or would draw over other text is escaped, the rest left as it is. */
export function shown(text: string, longest: number): string {
  const safe = SAFE.test(text) ? text : text.replace(UNSAFE, (char) => (char === '%' ? char : percent(char)));
  return safe.length <= longest ? safe : `${safe.slice(0, longest - 1).replace(/[\ud800-\udbff]$/, '')}…`;
}

function percent(char: string): string {
  const code = char.codePointAt(0) ?? 0;
  return code < 0x80 ? `%${code.toString(16).padStart(2, '0').toUpperCase()}` : `%u${code.toString(16).padStart(4, '0')}`;
}

function part(text: string): string {
  if (text.length <= 160 && SAFE_PART.test(text)) return text;
  return clean(text, 160).replace(SEPARATORS, percent);
}

export function partitionOf({ req, phase }: Pick<AuditRecord, 'req' | 'phase'>): Partition {
  if (req !== null) return requestPartition(req);
  if (phase === 'init') return INIT;
  if (phase === 'invoke' || phase === 'after') return '~concurrent' as Partition;
  return `~${phase}` as Partition;
}

let lastRequest = '';
let lastPartition = '' as Partition;

/** Most records in a row belong to one request. */
export function requestPartition(req: string): Partition {
  if (req !== lastRequest) {
    lastPartition = part(req) as Partition;
    lastRequest = req;
  }
  return lastPartition;
}

export const INIT = '~init' as Partition;
/** What an instance did outside any request. */
export const OUTSIDE = ['~init', '~idle', '~concurrent', '~shutdown'] as readonly string[] as readonly Partition[];

export function isRequest(partition: Partition): boolean {
  return !partition.startsWith('~');
}

const id = (kind: string, parts: string) => `${kind}:${parts}` as NodeId;

let lastInstance = '';
let lastOwner = '';
let lastWhere = '' as Partition;
let lastScope = '';

/** As {@link part}; a segment has one instance. */
function owner(instance: InstanceId): string {
  if (instance !== lastInstance) {
    lastOwner = part(instance);
    lastInstance = instance;
    lastScope = '';
  }
  return lastOwner;
}

/** What ids in one partition of an instance have in common. */
function scope(instance: InstanceId, partition: Partition): string {
  const of = owner(instance);
  if (partition !== lastWhere || lastScope === '') {
    lastScope = `${of}:${partition}:`;
    lastWhere = partition;
  }
  return lastScope;
}

export const functionId = (name: string) => id('function', part(name));
export const instanceId = (instance: InstanceId) => id('instance', owner(instance));
export const requestId = (instance: InstanceId, partition: Partition) => id('request', `${owner(instance)}:${partition}`);
/** A process is one node per request: what it did in another request is another unit of execution. */
export const processId = (instance: InstanceId, partition: Partition, proc: ProcessId) =>
  id('process', scope(instance, partition) + clean(proc, 64));
export const fileId = (instance: InstanceId, path: string) => namedFileId(instance, clean(path));
/** Of a path that is clean. */
export const namedFileId = (instance: InstanceId, name: string) => id('file', `${owner(instance)}:${name}`);
export const treeId = (instance: InstanceId, root: string) => id('image-tree', `${owner(instance)}:${clean(root)}`);
export const baselineId = (fn: string, version: string) => id('baseline', `${part(fn)}:${part(version)}`);
export const exchangeId = (instance: InstanceId, partition: Partition, exchange: string) =>
  id('exchange', scope(instance, partition) + clean(exchange, 160));
export const hostId = (host: string) => id('endpoint', clean(host.toLowerCase(), 255));
export const addressId = (addr: string, port: number) => id('endpoint', clean(`${addr}:${port}`, 255));
/** Inside an instance (loopback, Unix socket): `in` leads to who serves, `out` to who asked. See docs/graph-model.md. */
export const channelId = (instance: InstanceId, direction: 'in' | 'out', address: string) =>
  id('endpoint', `${owner(instance)}:${direction}:${clean(address)}`);
export const resourceId = (resource: string) => id('resource', clean(resource));
export const clientId = (sourceIp: string, userAgent: string) => id('client', `${part(sourceIp)}:${clean(userAgent, 160)}`);
export const agentId = (name: string) => id('agent', clean(name));
export const triggerId = (by: string, source: string, detail = '') =>
  id('trigger', `${by}:${clean(`${source} ${detail}`.trim())}`);
export const gapId = (instance: InstanceId, seq: number) => id('gap', `${owner(instance)}:${seq}`);

export function linkKey(kind: string, text: string): LinkKey {
  const key = `${kind}:${text}`;
  return (key.length <= 600 && SAFE.test(text) ? key : clean(key, 600)) as LinkKey;
}
/** The key that a node's own id is. */
export const ownKey = (node: NodeId) => clean(node, 600) as LinkKey;
/** A join key as the record carries it; under a name of its own, so that evidence cannot write into any other index. */
export const joinLink = (key: string) => linkKey('join', key);

/** Where a node's shard is; undefined for nodes that many shards share (files, endpoints, resources…). */
export function shardOf(node: NodeId): { readonly instance: InstanceId; readonly partition: Partition } | undefined {
  const [kind, instance, partition] = node.split(':', 3);
  if (kind !== 'request' && kind !== 'process' && kind !== 'exchange') return undefined;
  return instance && partition ? { instance: instance as InstanceId, partition: partition as Partition } : undefined;
}

/** The instance that a node lives in, if it lives in one. */
export function instanceOf(node: NodeId): InstanceId | undefined {
  const [kind, instance] = node.split(':', 2);
  return kind && INSIDE.has(kind) && instance ? (instance as InstanceId) : undefined;
}
const INSIDE: ReadonlySet<string> = new Set(['request', 'process', 'exchange', 'file', 'image-tree', 'instance', 'gap']);
