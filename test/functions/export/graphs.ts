import fc from 'fast-check';
import type { ExportGraph, ExportNode, ExportStory } from '../../../functions/export/graph.ts';
import { hostId, type NodeId, requestId, requestPartition } from '../../../functions/graph/ids.ts';
import { label } from '../../../functions/graph/label.ts';
import { Graph } from '../../../functions/graph/local.ts';
import type { Edge } from '../../../functions/graph/model.ts';
import { story } from '../../../functions/graph/story.ts';
import { withTopology } from '../../../functions/graph/topology.ts';
import { presentable, workflow } from '../../../functions/graph/workflow.ts';
import { containerReuse } from '../attacks.ts';
import { provenanceOf } from '../memory-source.ts';
import { type Recorded, START } from '../scenario.ts';

/** The workflow of a request, as the query API shows it. */
export async function workflowOf(instances: readonly Recorded[], of: Recorded, request: string): Promise<ExportGraph> {
  const found = await workflow(provenanceOf(instances), [requestId(of.id, requestPartition(request))], 200);
  const graph = presentable(found.graph);
  const nodes = [...graph.nodes.values()].map((node) => ({ ...node, label: label(node) }));
  return { nodes, edges: graph.edges(), cut: [] };
}

/** The attack that reused a container: all of its graph, and its story. */
export async function attack(): Promise<{ graph: ExportGraph; told: ExportStory } & ReturnType<typeof containerReuse>> {
  const made = containerReuse();
  const provenance = provenanceOf(made.instances);
  const node = hostId('drop.evil');
  const { frontier: _, ...told } = await story(provenance, node, { limit: 500, inputs: 'data' });
  const graph = await workflowOf(made.instances, made.cards, 'req-use');
  const plant = await workflowOf(made.instances, made.cards, 'req-plant');
  const nodes = new Map([...graph.nodes, ...plant.nodes].map((one) => [one.id, one]));
  const whole = { nodes: [...nodes.values()], edges: [...graph.edges, ...plant.edges], cut: ['nodes: 7 later ones'] };
  return { ...made, graph: whole, told: { node, label: 'drop.evil', ...told, cut: [] } };
}

export const ROLE = 'arn:aws:iam::123456789012:role/cards';
export const MALLORY = 'arn:aws:iam::123456789012:user/mallory';

/** The same with what the platform knows of one of the functions, and one of its processes marked. */
export function known({ nodes, edges, cut }: ExportGraph, deviates: string): ExportGraph {
  const graph = new Graph();
  for (const node of nodes) graph.addNode(node.id === deviates ? { ...node, deviates: true } : node);
  for (const edge of edges) graph.addEdge(edge);
  const route = {
    by: 'route',
    who: 'apigateway.amazonaws.com',
    source: 'arn:aws:execute-api:eu-west-1:1:abc',
    detail: 'POST /cards',
  };
  const configured = { role: ROLE, layers: ['arn:layer'], audited: true, sources: [route] };
  const deployed = [{ agent: MALLORY, at: START, action: 'UpdateFunctionCode', event: 'e-1' }];
  const whole = withTopology(graph, new Map([['authorize-cc', { configured, deployed }]]));
  return { nodes: [...whole.nodes.values()].map((node) => ({ ...node, label: label(node) })), edges: whole.edges(), cut };
}

const NASTY = [
  ...[
    '</script><script>alert(1)</script>',
    '"/><img src=x onerror=alert(1)>',
    ']]>',
    '<!--',
    '-->',
    '&lt;&amp;&#0;&nbsp;',
    '%3C',
  ],
  ...[
    '\\',
    '\\"',
    '\\N\\G\\l',
    '"];}',
    "'",
    '\0\x1b[2J\r\n',
    '\u202e\u200b',
    '\ud800',
    '\ufffe\uffff',
    '__proto__',
    'constructor',
  ],
  ...['{{7*7}}', 'javascript:alert(1)', '//evil.example/x', 'a@b', 'x'.repeat(5000), '𝔘ñïçødé', ''],
] as const;
export const hostile = fc.oneof(fc.constantFrom(...NASTY), fc.string({ unit: 'binary', maxLength: 40 }));
const time = fc.oneof(fc.constantFrom(0, -1, Number.MAX_SAFE_INTEGER), fc.integer({ min: 1.7e15, max: 1.8e15 }));

/** A graph of every kind of node, all texts in it chosen by an attacker. */
export const hostileGraph: fc.Arbitrary<ExportGraph> = fc
  .record({
    texts: fc.array(hostile, { minLength: 40, maxLength: 40 }),
    times: fc.array(time, { minLength: 20, maxLength: 20 }),
    ends: fc.array(fc.tuple(fc.nat(10), fc.nat(10)), { maxLength: 15 }),
    ops: fc.array(
      fc.constantFrom(
        'read',
        'write',
        'unlink',
        'start',
        'exit',
        'data',
        'request',
        'send',
        'invoke',
        'rename',
        'alias',
        'reply',
      ),
      { minLength: 15, maxLength: 15 },
    ),
  })
  .map(({ texts, times, ends, ops }) => {
    let next = 0;
    const text = () => texts[next++ % texts.length]!;
    let moment = 0;
    const at = () => times[moment++ % times.length]!;
    const base = (kind: string) => ({ id: `${kind}:${text()}` as NodeId, first: at(), last: at(), label: text() });
    const place = () => ({ instance: text(), partition: text() });
    const nodes = [
      { ...base('function'), kind: 'function', name: text() },
      { ...base('instance'), kind: 'instance', instance: text(), fn: text(), region: text() },
      {
        ...base('request'),
        kind: 'request',
        ...place(),
        fn: text(),
        begin: at(),
        end: at(),
        status: text(),
        trigger: { type: 'http', sourceIp: text(), userAgent: text(), method: text(), path: text() },
      },
      {
        ...base('process'),
        kind: 'process',
        ...place(),
        proc: text(),
        exe: text(),
        argv: [text(), text()],
        cwd: text(),
        started: at(),
        exited: at(),
        exitCode: 1,
      },
      { ...base('file'), kind: 'file', instance: text(), path: text(), writable: true },
      { ...base('image-tree'), kind: 'image-tree', instance: text(), root: text() },
      { ...base('endpoint'), kind: 'endpoint', host: text(), addr: text(), port: 70_000 },
      {
        ...base('exchange'),
        kind: 'exchange',
        ...place(),
        method: text(),
        scheme: 'https',
        host: text(),
        port: -1,
        path: text(),
        status: 999,
        sent: 1,
        received: 2,
        keys: [{ key: text(), sure: 'exact' }],
      },
      { ...base('resource'), kind: 'resource', type: 's3-object', resource: `s3://${text()}@${text()}` },
      { ...base('client'), kind: 'client', sourceIp: text(), userAgent: text() },
      { ...base('gap'), kind: 'gap', instance: text(), why: text(), lost: 3, detail: text() },
      { ...base('agent'), kind: 'agent', name: text() },
      { ...base('trigger'), kind: 'trigger', by: text(), who: text(), source: text(), detail: text() },
    ] as unknown as readonly ExportNode[];
    const edges = ends.map(
      ([from, to], i) =>
        ({
          ...{ from: nodes[from]!.id, to: nodes[to]!.id, op: ops[i]!, sure: i % 2 === 0 ? 'exact' : 'inferred' },
          ...{ start: at(), end: at(), bytes: 3, count: 1, by: text(), evidence: [{ segment: text(), seq: i }] },
        }) as unknown as Edge,
    );
    return { nodes: [...new Map(nodes.map((node) => [node.id, node])).values()], edges, cut: [text()] };
  });

/** A story, all texts in it chosen by an attacker; its parents form a tree only as far as a server would see to it. */
export const hostileStory: fc.Arbitrary<ExportStory> = fc
  .array(fc.tuple(hostile, hostile, hostile, time, fc.nat(9), fc.constantFrom('start', 'carried', 'touched')), {
    minLength: 1,
    maxLength: 10,
  })
  .map((all) => {
    const steps = all.map(([one, two, three, at, parent, role]) => ({
      ...{
        node: `file:${one}`,
        kind: two,
        label: one,
        role,
        requestId: three,
        instanceId: two,
        function: one,
        at,
        reason: three,
      },
      ...{ via: 'read', by: two, sure: 'inferred', bytes: 1, evidence: [{ segment: three, seq: 1 }], explains: [], parent },
    }));
    const [one = '', two = '', three = ''] = all[0] ?? [];
    return {
      ...{ node: one, label: two, steps, instances: [one], cut: [three] },
      requests: [{ requestId: one, instanceId: two, function: three, entry: true }],
      reused: [{ what: 'file', node: one, label: two, instanceId: three, from: one, to: two }],
    } as unknown as ExportStory;
  });
