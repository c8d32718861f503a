/**
 * Which causes of a node belong to the story of an attack. A plain backward trace holds everything that may have had an
 * influence; these rules keep what carried the attack and what was read on the way. docs/graph-model.md says why.
 */
import { isRequest, type NodeId, shardOf } from './ids.ts';
import { isGuess, isItemState } from './joins.ts';
import { type Edge, type ExchangeNode, LASTING, type Node } from './model.ts';
import type { Provenance } from './provenance.ts';
import { follow } from './walk.ts';

/** What was read before the sending: `none` of it, the `data` itself, or `all`, followed into the functions that answered. */
export type Inputs = 'none' | 'data' | 'all';

/** What may belong to a story at all. */
export interface Scope {
  readonly inputs: Inputs;
  /** Hand-overs by service-issued identifiers only. */
  readonly exactOnly?: boolean;
}

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

type Kind = Node['kind'];
const kindOf = (id: NodeId) => id.slice(0, id.indexOf(':')) as Kind;

export async function leadsOf(
  graph: Provenance,
  id: NodeId,
  because: Because,
  at: number,
  scope: Scope,
): Promise<readonly Lead[]> {
  const { inputs } = scope;
  const causes = (await graph.causesOf(id, at)).flatMap((edge) => {
    if (scope.exactOnly && isGuess(edge)) return [];
    const until = follow(edge, at, 'backward');
    return until === undefined ? [] : [{ edge, until }];
  });
  switch (kindOf(id)) {
    case 'endpoint':
      return causes.flatMap((cause) =>
        lead(cause, SENT_TO[cause.edge.op], kindOf(cause.edge.from) === 'exchange' ? 'sent' : 'acted'),
      );
    case 'resource':
      return writers(causes, because, id);
    case 'exchange':
      return because === 'answered' ? await answers(graph, causes, scope) : senders(causes, inputs);
    case 'process':
      return (await Promise.all(causes.map((cause) => unitInput(graph, cause, because, inputs)))).flat();
    case 'file':
      return causes.flatMap((cause) => fileCause(cause));
    case 'request':
      return [...invokers(causes), ...(because === 'start' ? await outcome(graph, id, at) : [])];
    default:
      return [];
  }
}

interface Cause {
  readonly edge: Edge;
  /** Latest time at which the cause can have mattered. */
  readonly until: number;
}

const SENT_TO: { readonly [op: string]: string } = {
  send: 'sent data there',
  connect: 'connected there',
  lookup: 'looked the name up',
};

function lead({ edge, until }: Cause, reason: string | undefined, because: Because, touched = false): readonly Lead[] {
  if (reason === undefined) return [];
  return [{ to: edge.from, because, at: until, edge, touched, follow: because !== 'leaf', reason }];
}

function writers(causes: readonly Cause[], because: Because, id: NodeId): readonly Lead[] {
  // What a benign function keeps in a table is not the attack's doing; one exact object version is.
  if (because !== 'start' && !isExactObject(id)) return [];
  return causes.flatMap((cause) => {
    if (cause.edge.op === 'write') return lead(cause, 'wrote it', 'sent');
    return cause.edge.op === 'call' ? lead(cause, 'called it', 'sent') : [];
  });
}

const isExactObject = (id: NodeId) => /^resource:s3:\/\/.*@/.test(id);

function senders(causes: readonly Cause[], inputs: Inputs): readonly Lead[] {
  return causes.flatMap((cause) => {
    if (cause.edge.op === 'request') return lead(cause, 'made the call', 'acted');
    if (cause.edge.op !== 'data' || inputs === 'none') return [];
    // Of what the same request took in, its process tells; what another one did may have come here unseen.
    const within = cause.edge.arrive === undefined;
    return lead(cause, 'what was sent had come in there', within ? 'answered' : 'sent', within);
  });
}

async function answers(graph: Provenance, causes: readonly Cause[], scope: Scope): Promise<readonly Lead[]> {
  const { inputs } = scope;
  const leads: Lead[] = [];
  for (const cause of causes) {
    const { op, arrive, from } = cause.edge;
    if (op === 'reply' && arrive !== undefined) {
      const counts = inputs === 'all' || (inputs === 'data' && (await isInfluenced(graph, from, scope)));
      if (counts) leads.push(...lead(cause, 'answered the call', 'start'));
    } else if (op === 'reply') leads.push(...lead(cause, 'the answer came from there', 'leaf'));
    else if (op === 'read' && arrive !== undefined) leads.push(...lead(cause, 'sent what was received', 'sent'));
    else if (op === 'data' && inputs !== 'none') leads.push(...lead(cause, 'the same content had been sent there', 'sent'));
    else if (op === 'read' && !isShownByKey(causes, from))
      leads.push(...lead(cause, 'was read', isExactObject(from) ? 'held' : 'leaf', true));
  }
  return leads;
}

/** The state of an item that was read, beside the item or table itself, says nothing more to people. */
const isShownByKey = (causes: readonly Cause[], id: NodeId) =>
  isItemState(id) && causes.some(({ edge }) => edge.op === 'read' && !isItemState(edge.from));

/** Steps that the question below may take; a request under influence shows it within its own few units and files. */
const INFLUENCE_STEPS = 300;
const influenced = new WeakMap<Provenance, Map<NodeId, boolean>>();

/**
 * Whether what a request answered came about under the influence of another one: through a file or a process left in its
 * instance, or through a call whose answer did. Otherwise the function only did what it was asked.
 */
async function isInfluenced(graph: Provenance, request: NodeId, scope: Scope): Promise<boolean> {
  const known = influenced.get(graph) ?? new Map<NodeId, boolean>();
  influenced.set(graph, known);
  const before = known.get(request);
  if (before !== undefined) return before;
  // Calls in a circle: a request does not come under influence by waiting for itself.
  known.set(request, false);
  const home = shardOf(request);
  const queue: Pick<Lead, 'to' | 'because' | 'at'>[] = [...(await outcome(graph, request, LASTING))];
  const seen = new Set<string>();
  for (let next = queue.shift(); next !== undefined && seen.size < INFLUENCE_STEPS; next = queue.shift()) {
    const name = `${next.to}\n${next.because}`;
    if (seen.has(name)) continue;
    seen.add(name);
    for (const one of await leadsOf(graph, next.to, next.because, next.at, { ...scope, inputs: 'data' })) {
      const place = shardOf(one.to);
      if (one.to === request) continue;
      const elsewhere = place !== undefined && (place.instance !== home?.instance || place.partition !== home.partition);
      if (elsewhere || one.edge.op === 'survive') {
        known.set(request, true);
        return true;
      }
      if (one.follow) queue.push(one);
    }
  }
  return false;
}

/** A unit's own start, and what reached it before it acted. */
async function unitInput(graph: Provenance, cause: Cause, because: Because, inputs: Inputs): Promise<readonly Lead[]> {
  const { edge } = cause;
  const planted = because === 'planted';
  switch (edge.op) {
    case 'start':
    case 'image':
      return lead(cause, 'started the process', 'acted');
    case 'survive':
      return await older(graph, cause, inputs);
    case 'event':
      return lead(cause, 'the request that was being served', 'acted');
    case 'exit':
      return lead(cause, 'ended and gave its output to its parent', 'ran');
    case 'exec':
    case 'read':
      return await fileInput(graph, cause, inputs);
    case 'response':
      return responseInput(graph, cause, planted, inputs);
    case 'receive':
      if (kindOf(edge.from) !== 'endpoint') return [];
      if (isLocalChannel(graph, edge.from)) return lead(cause, 'told it over a local socket', 'held');
      return inputs === 'none' && !planted ? [] : lead(cause, 'data came from there', 'leaf', !planted);
    default:
      return [];
  }
}

/**
 * Where a process that was left running got its influence from. Units in which it only went on living are passed over: it
 * may have been through a hundred requests that have nothing to do with it.
 */
async function older(graph: Provenance, first: Cause, inputs: Inputs): Promise<readonly Lead[]> {
  const kept = new Map<NodeId, Cause>();
  const seen = new Map<NodeId, number>();
  const queue = [first];
  for (let cause = queue.shift(); cause !== undefined; cause = queue.shift()) {
    const { from } = cause.edge;
    if ((seen.get(from) ?? -1) >= cause.until) continue;
    seen.set(from, cause.until);
    await graph.find(from);
    const chain: Cause[] = [];
    let told = false;
    for (const edge of await graph.causesOf(from, cause.until)) {
      const until = follow(edge, cause.until, 'backward');
      if (until === undefined) continue;
      if (edge.op === 'survive') chain.push({ edge: { ...edge, to: first.edge.to }, until });
      else if ((await unitInput(graph, { edge, until }, 'planted', inputs)).length > 0) told = true;
    }
    if (told || chain.length === 0) kept.set(from, cause);
    // Kept or not, its own past counts; a unit that is kept leads there itself.
    if (!told) queue.push(...chain);
  }
  return [...kept.values()].flatMap((cause) => lead(cause, 'the process was left running by an earlier request', 'planted'));
}

function isLocalChannel(graph: Provenance, id: NodeId): boolean {
  const node = graph.nodes.get(id);
  return node?.kind === 'endpoint' && node.local !== undefined;
}

/** A file counts when somebody else put it there: an earlier request, or another process of this one. */
async function fileInput(graph: Provenance, cause: Cause, inputs: Inputs): Promise<readonly Lead[]> {
  const { edge, until } = cause;
  const node = graph.nodes.get(edge.from);
  if (node?.kind !== 'file') return [];
  if (!node.writable && /\/(?:environ|mem|shadow)$/.test(node.path)) {
    return inputs === 'none' ? [] : lead(cause, 'a secret was read', 'leaf', true);
  }
  const writers = (await graph.causesOf(node.id, until)).filter(
    (one) =>
      fileCause({ edge: one, until: 0 }).length > 0 && one.from !== edge.to && follow(one, until, 'backward') !== undefined,
  );
  if (writers.length === 0) return [];
  return lead(cause, edge.op === 'exec' ? 'was executed' : 'was read', 'held');
}

function fileCause(cause: Cause): readonly Lead[] {
  const { op, from } = cause.edge;
  const reason = FILE_CAUSE[op];
  return lead(cause, reason, kindOf(from) === 'file' ? 'held' : 'planted');
}
const FILE_CAUSE: { readonly [op: string]: string } = {
  write: 'wrote the file',
  rename: 'put the file in its place',
  link: 'made the link',
  chmod: 'changed its permissions',
};

/** Data that came back over HTTP: from outside, from a table or bucket, or from another function. */
function responseInput(graph: Provenance, cause: Cause, planted: boolean, inputs: Inputs): readonly Lead[] {
  const exchange = graph.nodes.get(cause.edge.from);
  if (exchange?.kind !== 'exchange' || cause.edge.bytes === 0) return [];
  const reads = isRead(exchange);
  const download = planted && exchange.aws === undefined && !reads;
  if (download) return lead(cause, 'brought what was put there', 'answered');
  if (inputs === 'none' || !reads) return inputs === 'none' ? [] : externalInput(cause, exchange);
  return lead(cause, 'data was read', 'answered', true);
}

/** An AWS call without anything read (a message sent, an item put) brings back a receipt, not data. */
function externalInput(cause: Cause, exchange: ExchangeNode): readonly Lead[] {
  if (exchange.aws === undefined) return lead(cause, 'its answer came in before', 'answered', true);
  const call = exchange.aws.service === 'lambda' && exchange.status !== 202;
  return call ? lead(cause, 'the answer of another function came in before', 'answered', true) : [];
}

const READING =
  /^(?:Get|BatchGet|Query|Scan|TransactGet|ExecuteStatement|BatchExecute|Select|Receive|List|Describe|Head|Decrypt|Assume)/;

function isRead(exchange: ExchangeNode): boolean {
  return exchange.aws !== undefined && READING.test(exchange.aws.operation);
}

function invokers(causes: readonly Cause[]): readonly Lead[] {
  const joined = causes.filter(({ edge }) => edge.arrive !== undefined && edge.op === 'invoke');
  const told = joined.flatMap((cause) =>
    kindOf(cause.edge.from) === 'request'
      ? lead(cause, 'its result was handed on to the request', 'start')
      : lead(cause, 'caused the request', 'sent'),
  );
  if (joined.some(({ edge }) => edge.sure === 'exact')) return told;
  const changes = causes.filter(({ edge }) => edge.op === 'event' && (isExactObject(edge.from) || isItemState(edge.from)));
  const known = [...told, ...changes.flatMap((cause) => lead(cause, 'its change caused the request', 'start'))];
  if (known.length > 0) return known;
  return causes.flatMap((cause) => (cause.edge.op === 'invoke' ? lead(cause, 'sent the request from outside', 'leaf') : []));
}

/** Asked about a request as such, its own units are part of the answer: what it was made to do. */
async function outcome(graph: Provenance, id: NodeId, at: number): Promise<readonly Lead[]> {
  const place = shardOf(id);
  const local = place && isRequest(place.partition) ? await graph.local(place.instance, place.partition, id) : undefined;
  return (local?.into(id) ?? []).flatMap((edge) => {
    if (edge.op !== 'result') return [];
    return lead({ edge, until: Math.min(at, edge.end, LASTING) }, 'served the request', 'acted');
  });
}
