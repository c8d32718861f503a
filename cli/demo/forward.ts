/** What a request set off in other functions, by the hand-overs that the graph of its workflow holds. */
import type { Api, WorkflowAnswer } from './api.ts';

/** One function handed over to another: a call, a message, an event, an object, or a table's item through its stream. */
export interface HandOver {
  readonly from: string;
  readonly to: string;
  /** The call that did it, e.g. `sqs:SendMessage 200`. */
  readonly call: string;
  /** The identifier that both ends know; for an item its state. */
  readonly by: string;
  readonly sure: 'exact' | 'inferred';
}

export interface Forward {
  readonly requestId: string;
  /** Request nodes by id, with what to call them. */
  readonly labels: ReadonlyMap<string, string>;
  readonly root: string;
  readonly handOvers: readonly HandOver[];
}

export async function forward(api: Api, requestId: string): Promise<Forward> {
  const answer = await api.get<WorkflowAnswer>(`requests/${requestId}/workflow`, { joins: 'all', limit: '10000' });
  if (answer.cut.length > 0) throw new Error(`A workflow was cut, hand-overs would be missing: ${answer.cut.join('; ')}`);
  const labels = new Map(answer.nodes.flatMap(({ id, kind, label }) => (kind === 'request' ? [[id, label] as const] : [])));
  const root = answer.requests.find((one) => one.requestId === requestId)?.node;
  if (root === undefined) throw new Error(`The workflow of request ${requestId} does not hold the request itself.`);
  return { requestId, labels, root, handOvers: handOvers(answer) };
}

function handOvers({ nodes, edges }: WorkflowAnswer): HandOver[] {
  const calls = new Map(nodes.map(({ id, label }) => [id, label]));
  const found = new Map<string, HandOver>();
  const add = (exchange: string, to: string, by: string, sure: HandOver['sure']): void => {
    const from = exchange.replace(/^exchange:([^:]*:[^:]*):.*$/s, 'request:$1');
    const one = { from, to, call: calls.get(exchange) ?? exchange, by, sure };
    const known = found.get(`${exchange} ${to}`);
    if (known?.sure !== 'exact') found.set(`${exchange} ${to}`, one);
  };
  for (const { from, to, op, by, sure } of edges) {
    if (op === 'invoke' && by !== undefined) add(from, to, by, sure);
    // A stream hands on the state that an item was given: writing it and being given it were both seen.
    if (op !== 'event' || !/^resource:ddb:[^/@]+@/.test(from)) continue;
    const state = from.slice('resource:'.length);
    for (const write of edges) if (write.op === 'write' && write.to === from) add(write.from, to, state, 'exact');
  }
  return [...found.values()];
}
