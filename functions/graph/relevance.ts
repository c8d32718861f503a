/**
 * Which causes of a node belong to the story of an attack. A plain backward trace holds everything that may have had an
 * influence; these rules keep what carried the attack and what was read on the way. docs/graph-model.md says why.
 */
import { isRequest, type NodeId, shardOf } from './ids.ts';
import { isGuess, isItemState } from './joins.ts';
import { type Because, type Cause, type Inputs, kindOf, type Lead, lead } from './lead.ts';
import { LASTING } from './model.ts';
import type { Provenance } from './provenance.ts';
import { onceEach } from './repetition.ts';
import { fileCause, unitInput } from './unit-input.ts';
import { follow } from './walk.ts';

/** What may belong to a story at all. */
export interface Scope {
  readonly inputs: Inputs;
  /** Hand-overs by service-issued identifiers only. */
  readonly exactOnly?: boolean;
}

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
      return (await graph.each(await onceEach(graph, causes), (cause) => unitInput(graph, cause, because, at, inputs))).flat();
    case 'file':
      return causes.flatMap((cause) => fileCause(cause));
    case 'request':
      return [...invokers(causes), ...(because === 'start' ? await outcome(graph, id, at) : [])];
    default:
      return [];
  }
}

const SENT_TO: { readonly [op: string]: string } = {
  send: 'sent data there',
  connect: 'connected there',
  lookup: 'looked the name up',
};

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
    else if (op === 'read' && !isShownByKey(causes, from) && !isOneOfMany(causes, from))
      leads.push(...lead(cause, 'was read', isExactObject(from) ? 'held' : 'leaf', true));
  }
  return leads;
}

/** The state of an item that was read, beside the item or table itself, says nothing more to people. */
const isShownByKey = (causes: readonly Cause[], id: NodeId) =>
  isItemState(id) && causes.some(({ edge }) => edge.op === 'read' && !isItemState(edge.from));

/** Items that are named one by one; of more the table says it all. */
const FEW_ITEMS = 3;

const tableOf = (id: NodeId) => /^resource:ddb:[^/@]+(?=[/@])/.exec(id)?.[0];

/** An item of a table that was read whole, or in large part. */
function isOneOfMany(causes: readonly Cause[], id: NodeId): boolean {
  const table = tableOf(id);
  if (table === undefined || !causes.some(({ edge }) => edge.op === 'read' && edge.from === table)) return false;
  return causes.filter(({ edge }) => edge.op === 'read' && tableOf(edge.from) === table).length > FEW_ITEMS;
}

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
