/** What the API answers, as schemas: for the OpenAPI document, and for tests to hold the answers against. */
import { z } from 'zod';
import { GAP_KINDS } from '../store/gap.ts';
import { KINDS, SHOWN_KINDS } from './parameters.ts';

const micros = z.int().describe('µs since 1970');
const count = z.int().min(0);
const text = z.string();
const kind = z.enum(KINDS);
const shownKind = z.enum(SHOWN_KINDS);
const sure = z.enum(['exact', 'inferred']);
const cut = z.array(text).describe('What was left out, one line each; empty when nothing was');
const cursor = text.optional().describe('Opaque; give it back as `cursor` to go on');

const evidence = z.object({ segment: text, seq: count }).describe('Record `seq` of a segment; /v1/evidence has it');
const edge = z.object({
  ...{ from: text, to: text, op: text, sure, start: micros, end: micros, bytes: count, count, partition: text.optional() },
  ...{ fresh: micros.optional(), arrive: micros.optional(), after: z.literal(true).optional(), by: text.optional() },
  unexplained: z.literal(true).optional().describe('It leads to a request that nothing configured explains'),
  evidence: z.array(evidence),
});
/** What else a node has depends on its kind: functions/graph/model.ts. */
const node = z.looseObject({
  ...{ id: text, kind: shownKind, label: text, first: micros, last: micros },
  deviates: z.literal(true).optional().describe('No other instance of the function version is known to have done so'),
  unexplained: z.literal(true).optional().describe('A request that nothing configured explains'),
});
const shortNode = z.object({ node: text, kind, label: text });
const counts = z.object({ nodes: count, edges: count });
const graph = { counts, nodes: z.array(node), edges: z.array(edge), cursor, cut };
const unexplained = z.array(text).describe('Requests, by node, that nothing configured explains');
const compared = z
  .array(z.object({ instanceId: text, instances: count }))
  .describe('Instances in which deviating nodes are marked, with how many others of the version they were compared with');
const frontier = z.array(
  z.object({ node: text, why: z.enum(['partitions', 'links', 'index', 'limit', 'time']), at: micros.optional() }),
);

const request = z.object({
  ...{ requestId: text, instanceId: text, function: text, at: micros, trigger: text },
  ...{ source: text.optional(), traceId: text.optional(), end: micros.optional(), status: text.optional() },
  unexplained: z.literal(true).optional().describe('Nothing configured explains how it was invoked'),
});
const served = z.object({
  ...{ requestId: text, at: micros.optional(), end: micros.optional(), status: text.optional(), trigger: text.optional() },
});
const missing = z.object({ kind: z.enum(['records', 'chain']), from: count, to: count });
const segment = z.object({
  ...{ fn: text, version: text, segment: text, first: count, last: count, from: micros, to: micros, requests: count },
  ...{ gaps: count, unobserved: count, linksCut: count, digest: text, prev: text.nullable() },
  forgotten: z.literal(true).optional().describe('It was deleted on purpose'),
});

const step = z.object({
  ...{ node: text, kind, label: text, role: z.enum(['start', 'carried', 'touched']), requestId: text.optional() },
  ...{
    instanceId: text.optional(),
    function: text.optional(),
    at: micros,
    reason: text,
    via: text.optional(),
    by: text.optional(),
  },
  ...{ sure, bytes: count.optional(), evidence: z.array(evidence), parent: count.optional(), explains: z.array(count) },
  ...{ deviates: z.literal(true).optional(), unexplained: z.literal(true).optional() },
});
const agents = z
  .array(
    z.object({
      ...{ agent: text, as: z.enum(['role', 'deployer']), function: text, nodes: z.array(text).optional() },
      ...{ action: text.optional(), at: micros.optional(), event: text.optional() },
    }),
  )
  .describe('Who put the code there that ran, and roles whose rights were used');
const reused = z.object({ what: z.enum(['file', 'process']), node: text, label: text, instanceId: text, from: text, to: text });
const involved = z.object({ requestId: text, instanceId: text, function: text, entry: z.boolean() });
const boundary = z.object({
  ...{ kind: z.enum(['request', 'instance', 'function']), from: count, to: count, instances: z.tuple([text, text]) },
  requests: z.tuple([text.nullable(), text.nullable()]),
  ...{ via: text.optional(), by: text.optional(), sure },
});

export const statsAnswer = z.object({
  ...{ segments: count, records: count, requests: count, gaps: count, unobserved: count, linksCut: count, instances: count },
  ...{ functions: count, poison: count, silenced: count, testimonyLost: count, cut },
});
export const functionsAnswer = z.object({
  functions: z.array(z.object({ function: text, firstDay: text, lastDay: text })),
  ...{ cursor, cut },
});
export const requestsAnswer = z.object({ requests: z.array(request), cursor, cut });
export const instancesAnswer = z.object({
  instances: z.array(
    z.object({
      ...{ instanceId: text, function: text, version: text.optional(), first: micros.optional(), last: micros.optional() },
      counts: z.object({ requests: count, segments: count, missing: count }),
      ...{ requests: z.array(served), cut },
    }),
  ),
  ...{ cursor, cut },
});
const extension = z.object({ name: text, state: text.optional(), error: text.optional() });
export const instanceAnswer = z.object({
  platform: z
    .looseObject({ stream: text, extensions: z.array(extension) })
    .optional()
    .describe('What the platform says of it'),
  ...{ instanceId: text, function: text, version: text.optional(), runtime: text.optional(), initType: text.optional() },
  ...{ requests: z.array(served), segments: z.array(segment), missing: z.array(missing), cut },
});
export const graphAnswer = z.object({
  ...graph,
  witnesses: z.array(z.looseObject({ node: text, witness: text })).describe('What others than the instance say of the request'),
  ...{ unexplained, compared },
});
export const instanceGraphAnswer = z.object({ requests: count, ...graph, unexplained, compared });
export const workflowAnswer = z.object({
  requests: z.array(z.object({ node: text, requestId: text, instanceId: text, function: text, at: micros })),
  ...{ ...graph, unexplained, compared },
});
export const poisonAnswer = z.object({
  segments: z.array(z.object({ segment: text, code: text, reason: text, line: count.optional() })),
  ...{ cursor, cut },
});
export const searchAnswer = z.object({
  results: z.array(
    z.object({
      ...{ node: text, kind, label: text, key: text, first: micros, last: micros, count },
      seen: z.array(
        z.object({ node: text, at: micros, requestId: text, instanceId: text, function: text, evidence: evidence.optional() }),
      ),
    }),
  ),
  scanned: z.object({ since: micros, until: micros, graphs: count, reached: micros.optional() }).optional(),
  ...{ cursor, cut },
});
const walked = { frontier, hubs: z.array(z.object({ node: text, flows: count })), baselines: count, cursor, cut };
export const traceAnswer = z.object({
  ...{ node: text, direction: z.enum(['backward', 'forward']), at: micros.optional(), counts },
  ...{ nodes: z.array(node.extend({ at: micros, depth: count })), edges: z.array(edge), ...walked },
});
export const blastAnswer = z.object({
  node: text,
  groups: z.array(z.object({ kind, count, nodes: z.array(z.object({ node: text, label: text, at: micros, depth: count })) })),
  ...{ functions: z.array(text), instances: z.array(text), requests: z.array(text), ...walked },
});
export const pathsAnswer = z.object({
  ...{ from: text, to: text },
  paths: z.array(z.object({ length: count, sure, nodes: z.array(shortNode), edges: z.array(edge) })),
  ...{ cursor, cut },
});
export const causesAnswer = z.object({
  ...{ a: text, b: text },
  causes: z.array(shortNode.extend({ depths: z.tuple([count, count]), nearest: z.boolean() })),
  cut,
});
const told = { steps: z.array(step), requests: z.array(involved), instances: z.array(text), reused: z.array(reused) };
const acts = z
  .array(z.object({ head: count, steps: z.array(count), at: micros, text }))
  .describe('The same story as one would tell it: steps, by index, that belong to one act of one process');
export const pathAnswer = z.object({
  ...{ node: text, label: text, ...told, frontier, boundaries: z.array(boundary), unexplained, compared, agents, cut },
  acts,
});
const item = { what: text, name: text };
export const baselineAnswer = z.object({
  ...{ function: text, version: text, instances: count, count },
  items: z.array(z.object({ ...item, instances: count })),
  cut,
});
export const deviationsAnswer = z.object({
  ...{ instanceId: text, function: text, version: text, comparedWith: count, count },
  deviations: z.array(z.object({ ...item, requestIds: z.array(text), nodes: z.array(text) })),
  cut,
});
export const gapsAnswer = z.object({ gaps: z.array(z.looseObject({ kind: z.enum(GAP_KINDS), at: micros })), cursor, cut });
export const changesAnswer = z.object({ changes: z.array(z.looseObject({ at: micros, id: text })), cut });
export const inventoryAnswer = z.object({
  functions: z.array(z.looseObject({ name: text, arn: text, audited: z.boolean(), seen: micros })),
  seen: micros.optional().describe('When the account was last looked at'),
  cut,
});
export const explanationAnswer = z.object({
  ...{
    node: text,
    label: text,
    explanation: z.array(text),
    entries: z.array(involved),
    ...told,
    boundaries: z.array(boundary),
    acts,
  },
  ...{ unexplained, compared, agents },
  left: z.array(z.object({ to: text, by: text, label: text, bytes: count, requestId: text.optional() })),
  cut,
});
export const reuseQuestionAnswer = z.object({
  ...{ node: text, reused: z.boolean(), complete: z.boolean().describe('Nothing was cut off: a no is a no') },
  ...{ how: z.array(reused.extend({ evidence: z.array(evidence), sure })), requests: z.array(involved) },
  ...{ instances: z.array(text), cut },
});
export const deviationAnswer = z.object({
  ...{ node: text, function: text, version: text.optional() },
  deviates: z.boolean().nullable().describe('null: there is nothing to compare with'),
  traits: z.array(
    z.object({
      trait: z.enum(['program', 'file', 'host', 'call']),
      ...{ what: text, node: text, seenIn: count, evidence: z.array(evidence) },
    }),
  ),
  measures: z.array(
    z.object({ measure: z.enum(['children', 'sent', 'received', 'exchanges']), value: count, median: count, most: count }),
  ),
  sample: z.object({ requests: count, instances: count, from: micros, to: micros }),
  cut,
});
export const reuseAnswer = z.object({
  ...{ instanceId: text, requests: count },
  influences: z.array(
    z.object({
      ...{ from: text, to: text, through: z.enum(['file', 'process', 'memory']) },
      way: z.enum(['read', 'executed', 'loaded', 'memory', 'survived']),
      ...{ node: text, label: text, left: micros, used: micros, sure, evidence: z.array(evidence) },
    }),
  ),
  cut,
});
export const evidenceAnswer = z.object({
  ...{ segment: text, seq: count, sha256: text, stitched: text.optional(), verified: z.boolean(), received: micros },
  ...{ header: z.looseObject({ v: z.literal(1), fn: text, instanceId: text, first: count, last: count }) },
  ...{ record: z.looseObject({ kind: text, seq: count, t: micros }), cut },
});
export const problem = z.object({
  ...{ type: text, title: text, status: z.int(), detail: text },
  parameter: text.optional().describe('What the caller can change'),
});
