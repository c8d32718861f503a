import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { otlp } from '../../../functions/export/otlp.ts';
import { handOver } from '../attacks.ts';
import { hasOtlp, opened } from './consumer.ts';
import { attack, hostileGraph, workflowOf } from './graphs.ts';

interface Span {
  readonly service: string;
  readonly trace: string;
  readonly id: string;
  readonly parent: string;
  readonly name: string;
  readonly kind: number;
  readonly start: number;
  readonly end: number;
  readonly node: string;
  readonly links: readonly string[];
  readonly events: readonly string[];
}
const text = (parts: Iterable<string>) => [...parts].join('');

describe.skipIf(!hasOtlp)('OTLP/JSON, as read by the protocol buffers of OpenTelemetry', () => {
  let made: Awaited<ReturnType<typeof attack>>;
  let spans: readonly Span[];
  beforeAll(async () => {
    made = await attack();
    spans = opened<readonly Span[]>('otlp', [text(otlp(made.graph))])[0]!;
  });
  const of = (node: string) => spans.find((one) => one.node === node)!;

  it('has a span for each request, process and exchange, under the function it ran in', () => {
    const units = made.graph.nodes.filter(({ kind }) => kind === 'request' || kind === 'process' || kind === 'exchange');
    expect(spans.map(({ node }) => node).sort()).toEqual(units.map(({ id }) => id as string).sort());
    expect(of(`request:${made.cards.id}:req-use`).service).toBe('authorize-cc');
    for (const { start, end } of spans) expect(end).toBeGreaterThanOrEqual(start);
  });

  it('puts a called request under the call that waited for it, and links one that nobody waited for', () => {
    const call = spans.find(
      ({ node, name }) => node.startsWith(`exchange:${made.purchase.id}:`) && name.startsWith('lambda:Invoke'),
    )!;
    expect(of(`request:${made.cards.id}:req-use`)).toMatchObject({ parent: call.id, trace: call.trace });
    const event = spans.find(
      ({ node, name }) => node.startsWith(`exchange:${made.cards.id}:req-use`) && name.startsWith('lambda:Invoke'),
    )!;
    expect(of(`request:${made.notify.id}:req-notify`)).toMatchObject({ parent: '', trace: event.trace, links: [event.id] });
    expect(of(`request:${made.cards.id}:req-plant`).trace).not.toBe(call.trace);
  });

  it('makes a tree of processes and their exchanges, with what they touched as events', () => {
    const process = (pid: string, request: string) => of(`process:${made.cards.id}:${request}:${pid}`);
    const curl = process(made.curl, 'req-plant');
    expect(curl.parent).toBe(process(made.sh, 'req-plant').id);
    expect(process(made.sh, 'req-plant').parent).toBe(process(made.cards.runtime, 'req-plant').id);
    expect(process(made.cards.runtime, 'req-plant').parent).toBe(of(`request:${made.cards.id}:req-plant`).id);
    expect(of(`exchange:${made.cards.id}:req-plant:x2`).parent).toBe(curl.id);
    expect(curl.events).toContain('write /tmp/.x.js');
  });

  it('links what was handed over through a queue', async () => {
    const { instances, a } = handOver('sqs');
    const [read] = opened<readonly Span[]>('otlp', [text(otlp(await workflowOf(instances, a, 'req-a')))]);
    const receiver = read!.find(({ node }) => node.endsWith(':req-b') && node.startsWith('request:'))!;
    const sent = read!.find(({ name }) => name.startsWith('sqs:SendMessage'))!;
    expect(receiver).toMatchObject({ parent: '', kind: 5, links: [sent.id], trace: sent.trace });
  });

  it('is the same whatever the order of nodes and edges', () => {
    const { nodes, edges, cut } = made.graph;
    const turned = { nodes: [...nodes].reverse(), edges: [...edges].reverse(), cut };
    const [read] = opened<readonly Span[]>('otlp', [text(otlp(turned))]);
    const ids = (all: readonly Span[]) => all.map(({ id, trace, parent }) => `${id} ${trace} ${parent}`).sort();
    expect(ids(read!)).toEqual(ids(spans));
  });

  it('stays a tree of valid spans whatever the evidence holds', () => {
    const graphs = fc.sample(hostileGraph, { numRuns: 60, seed: 11 });
    const all = opened<readonly Span[]>(
      'otlp',
      graphs.map((one) => text(otlp(one))),
    );
    for (const read of all) {
      const parents = new Map(read.map(({ id, parent }) => [id, parent]));
      for (const { id, end, start } of read) {
        expect(end).toBeGreaterThanOrEqual(start);
        const seen = new Set<string>();
        for (let at: string | undefined = id; at; at = parents.get(at)) {
          expect(seen.has(at)).toBe(false);
          seen.add(at);
        }
      }
    }
  });
});
