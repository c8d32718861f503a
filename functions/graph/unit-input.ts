/** What reached a process before its act: its start, files, answers of calls. Part of the rules of relevance.ts. */
import { isKept } from './habit.ts';
import { INIT, type NodeId, shardOf } from './ids.ts';
import { type Because, type Cause, type Inputs, kindOf, type Lead, lead } from './lead.ts';
import type { Edge, ExchangeNode } from './model.ts';
import type { Provenance } from './provenance.ts';
import { follow } from './walk.ts';

/** A unit's own start, and what reached it before it acted, at the latest `at`. */
export async function unitInput(
  graph: Provenance,
  cause: Cause,
  because: Because,
  at: number,
  inputs: Inputs,
): Promise<readonly Lead[]> {
  const { edge } = cause;
  const planted = because === 'planted';
  switch (edge.op) {
    case 'start':
    case 'image':
      return [...lead(cause, 'started the process', 'acted'), ...(await besides(graph, edge, at))];
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
 * Children of the same parent that ended while a process ran and before it acted: in a pipeline they gave it what it acted with.
 * Pipes are not recorded, so this is inferred; those that had ended before it started are told with the parent.
 */
async function besides(graph: Provenance, start: Edge, at: number): Promise<readonly Lead[]> {
  const parent = await graph.find(start.from);
  // Of the children of a runtime, none is connected with another by a pipe unless the runtime is: then it is told there.
  if (parent?.kind !== 'process' || (await graph.runtime(parent.instance))?.has(parent.proc) !== false) return [];
  return (await graph.causesOf(parent.id, at)).flatMap((edge) => {
    if (edge.op !== 'exit' || edge.from === start.to || edge.end <= start.end || edge.end > at) return [];
    return lead({ edge: { ...edge, sure: 'inferred' }, until: edge.end }, 'ran beside it and ended before it acted', 'ran');
  });
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
      else if ((await unitInput(graph, { edge, until }, 'planted', cause.until, inputs)).length > 0) told = true;
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
  if (node?.kind === 'image-tree') return loaded(cause, node.root);
  if (node?.kind !== 'file') return [];
  if (!node.writable && /\/(?:environ|mem|shadow)$/.test(node.path)) {
    return inputs === 'none' ? [] : lead(cause, 'a secret was read', 'leaf', true);
  }
  const writers = (await graph.causesOf(node.id, until)).filter(
    (one) =>
      fileCause({ edge: one, until: 0 }).length > 0 && one.from !== edge.to && follow(one, until, 'backward') !== undefined,
  );
  if (writers.length === 0) return [];
  if (edge.op === 'read' && (await isKept(graph, node, writers)))
    return inputs === 'none' ? [] : lead(cause, 'the function keeps it between its requests', 'leaf', true);
  return lead(cause, edge.op === 'exec' ? 'was executed' : 'was read', 'held');
}

/** What a function is deployed as: its code and its layers. */
const DEPLOYED: ReadonlySet<string> = new Set(['/var/task', '/opt']);

/** Nobody asks for what happens during init: it comes from what was deployed. */
function loaded(cause: Cause, root: string): readonly Lead[] {
  const deployed = DEPLOYED.has(root) && shardOf(cause.edge.to)?.partition === INIT;
  return deployed ? lead(cause, 'its code comes from there, and no request had begun', 'leaf') : [];
}

export function fileCause(cause: Cause): readonly Lead[] {
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
