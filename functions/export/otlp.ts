import { createHash } from 'node:crypto';
import { calls, isSynchronous } from '../graph/joins.ts';
import type { Edge } from '../graph/model.ts';
import { closed, type ExportGraph, type ExportNode, evidenceOf, functionsOf, lifeOf, placeOf, sane } from './graph.ts';
import { plain } from './text.ts';

type Unit = Extract<ExportNode, { readonly kind: 'request' | 'process' | 'exchange' }>;
type Value = string | number | boolean | readonly string[];

/** Events of one span; OpenTelemetry's usual limit. What is above it is counted in `droppedEventsCount`. */
const MOST_EVENTS = 128;
/** https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto */
const KIND = { internal: 1, server: 2, client: 3, consumer: 5 } as const;
const ERROR = 2;

/**
 * OTLP/JSON (https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding): requests, processes and exchanges as spans, what
 * they did to files, endpoints and resources as events. Requests that calls connect are one trace. Who waited for an answer is
 * the parent; what was handed over without waiting, survived or met again is a link. Ids are made of node ids alone.
 */
export function* otlp(whole: ExportGraph): Generator<string> {
  const graph = closed(whole);
  const tree = new Tree(graph);
  const functions = functionsOf(graph);
  yield '{"resourceSpans":[';
  let first = true;
  for (const [instance, units] of Map.groupBy(tree.units.values(), (unit) => unit.instance)) {
    const facts = graph.nodes.find((node) => node.kind === 'instance' && node.instance === instance);
    const fn = functions.get(instance);
    const resource = pairs({
      ...{ 'service.name': plain(fn ?? 'unknown_service'), 'faas.name': fn, 'faas.instance': instance },
      ...{ 'cloud.provider': 'aws', 'cloud.platform': 'aws_lambda' },
      ...(facts?.kind === 'instance' ? { 'cloud.region': facts.region, 'faas.version': facts.version } : {}),
      ...(graph.cut.length === 0 ? {} : { 'alastor.cut': graph.cut }),
    });
    const spans = units.map((unit) => span(unit, tree));
    const scope = { name: 'alastor' };
    yield `${first ? '' : ','}\n${JSON.stringify({ resource: { attributes: resource }, scopeSpans: [{ scope, spans }] })}`;
    first = false;
  }
  yield ']}\n';
}

const hex = (text: string, bytes: number) =>
  createHash('sha256')
    .update(text)
    .digest('hex')
    .slice(0, 2 * bytes);
const spanId = (node: string) => hex(`span:${node}`, 8);
const nanos = (micros: number) => String(BigInt(sane(micros)) * 1000n);

/** Which span is whose parent, and which belong to one trace. */
class Tree {
  readonly units = new Map<string, Unit>();
  readonly into: ReadonlyMap<string, readonly Edge[]>;
  readonly touching = new Map<string, Edge[]>();
  readonly nodes: ReadonlyMap<string, ExportNode>;
  readonly #parents = new Map<string, string>();
  readonly #group = new Map<string, string>();

  constructor({ nodes, edges }: ExportGraph) {
    this.nodes = new Map<string, ExportNode>(nodes.map((node) => [node.id, node]));
    for (const node of nodes) {
      if (node.kind === 'request' || node.kind === 'process' || node.kind === 'exchange') this.units.set(node.id, node);
    }
    this.into = Map.groupBy(
      edges.filter(({ from, to }) => this.units.has(from) && this.units.has(to)),
      ({ to }) => to,
    );
    for (const edge of edges) {
      const [from, to] = [this.units.has(edge.from), this.units.has(edge.to)];
      if (from === to) continue;
      const unit = from ? edge.from : edge.to;
      this.touching.set(unit, [...(this.touching.get(unit) ?? []), edge]);
    }
    const answered = new Set(edges.filter(({ op }) => op === 'reply').map(({ from, to }) => `${from}\n${to}`));
    const requests = new Map(
      [...this.units.values()].flatMap((one) => (one.kind === 'request' ? [[placeOf(one), one.id] as const] : [])),
    );
    for (const unit of this.units.values()) {
      const candidate = this.#waiting(unit, answered) ?? (unit.kind === 'request' ? undefined : requests.get(placeOf(unit)));
      if (candidate !== undefined && !this.#above(candidate).includes(unit.id)) this.#parents.set(unit.id, candidate);
    }
    for (const id of this.units.keys()) this.#join(id, this.#parents.get(id) ?? id);
    for (const edge of [...this.into.values()].flat()) if (edge.op === 'invoke') this.#join(edge.to, edge.from);
  }

  /** Who started it, made it, or called it and was given its answer. */
  #waiting(unit: Unit, answered: ReadonlySet<string>): string | undefined {
    return (this.into.get(unit.id) ?? []).find(({ op, from, to, by = '', sure }) => {
      if (unit.kind === 'request') {
        const call = op === 'invoke' ? this.units.get(from) : undefined;
        return (
          call?.kind === 'exchange' && (answered.has(`${to}\n${from}`) || (calls({ key: by, sure }) && isSynchronous(call)))
        );
      }
      if (unit.kind === 'exchange') return op === 'request';
      return op === 'start' || op === 'image';
    })?.from;
  }

  #above(id: string): readonly string[] {
    const seen: string[] = [];
    for (let at: string | undefined = id; at !== undefined; at = this.#parents.get(at)) seen.push(at);
    return seen;
  }

  #root(id: string): string {
    let root = id;
    for (let up = this.#group.get(root); up !== undefined && up !== root; up = this.#group.get(root)) root = up;
    return root;
  }

  /** The smaller id names the whole, so that the trace id does not depend on the order of the input. */
  #join(a: string, b: string): void {
    const [one, other] = [this.#root(a), this.#root(b)].sort();
    if (one !== undefined && other !== undefined) this.#group.set(other, one);
  }

  parent(id: string): string | undefined {
    return this.#parents.get(id);
  }

  trace(id: string): string {
    return hex(`trace:${this.#root(id)}`, 16);
  }
}

function span(unit: Unit, tree: Tree): object {
  const [start, end] = lifeOf(unit);
  const parent = tree.parent(unit.id);
  const links = new Map((tree.into.get(unit.id) ?? []).filter(isLink).map((edge) => [edge.from, edge]));
  if (parent !== undefined) links.delete(parent as Edge['from']);
  const touched = tree.touching.get(unit.id) ?? [];
  return {
    ...{
      traceId: tree.trace(unit.id),
      spanId: spanId(unit.id),
      ...(parent === undefined ? {} : { parentSpanId: spanId(parent) }),
    },
    ...{
      name: plain(unit.label ?? unit.id, 200),
      kind: kindOf(unit),
      startTimeUnixNano: nanos(start),
      endTimeUnixNano: nanos(end),
    },
    attributes: pairs({ 'alastor.node': unit.id, ...describe(unit) }),
    events: touched.slice(0, MOST_EVENTS).map((edge) => event(edge, unit, tree)),
    ...(touched.length > MOST_EVENTS ? { droppedEventsCount: touched.length - MOST_EVENTS } : {}),
    links: [...links.values()].map((edge) => ({
      ...{ traceId: tree.trace(edge.from), spanId: spanId(edge.from) },
      attributes: pairs({ 'alastor.op': edge.op, 'alastor.by': edge.by, 'alastor.sure': edge.sure }),
    })),
    ...(failed(unit) ? { status: { code: ERROR } } : {}),
  };
}

/** What led to it besides its parent. A child's exit or an answer leads back up the tree and is no link. */
const isLink = ({ op }: Edge) => op === 'invoke' || op === 'survive' || op === 'data' || op === 'read';

function event(edge: Edge, unit: Unit, tree: Tree): object {
  const other = tree.nodes.get(edge.from === unit.id ? edge.to : edge.from);
  const target = other?.label ?? other?.id ?? '';
  const told = { 'alastor.node': other?.id, 'alastor.bytes': edge.bytes, 'alastor.count': edge.count };
  const attributes = pairs({ ...told, 'alastor.sure': edge.sure, 'alastor.evidence': evidenceOf(edge) });
  return { timeUnixNano: nanos(edge.start), name: plain(`${edge.op} ${target}`, 200), attributes };
}

function kindOf(unit: Unit): number {
  if (unit.kind === 'process') return KIND.internal;
  if (unit.kind === 'exchange') return KIND.client;
  const type = unit.trigger?.type;
  return type === undefined || type === 'http' || type === 'alb' || type === 'invoke' ? KIND.server : KIND.consumer;
}

function failed(unit: Unit): boolean {
  if (unit.kind === 'request') return unit.status !== undefined && unit.status !== 'ok';
  if (unit.kind === 'exchange') return unit.error !== undefined || (unit.status ?? 0) >= 400;
  return (unit.exitCode ?? 0) !== 0 || unit.signal !== undefined;
}

/** https://opentelemetry.io/docs/specs/semconv/ */
function describe(unit: Unit): Readonly<Record<string, Value | undefined>> {
  switch (unit.kind) {
    case 'request':
      return {
        ...{ 'faas.invocation_id': unit.partition, 'faas.trigger': unit.trigger?.type, 'error.type': unit.errorType },
        ...{ 'http.request.method': unit.trigger?.method, 'url.path': unit.trigger?.path },
        ...{ 'client.address': unit.trigger?.sourceIp, 'user_agent.original': unit.trigger?.userAgent },
      };
    case 'process':
      return {
        ...{ 'process.executable.path': unit.exe, 'process.command_args': unit.argv, 'process.working_directory': unit.cwd },
        ...{ 'process.pid': Number(unit.proc.split('@')[0]), 'process.exit.code': unit.exitCode },
      };
    case 'exchange':
      return {
        ...{ 'http.request.method': unit.method, 'http.response.status_code': unit.status, 'error.type': unit.error },
        ...{ 'url.full': `${unit.scheme}://${unit.host}:${unit.port}${unit.path}`, 'network.peer.address': unit.addr },
        ...{ 'server.address': unit.host, 'server.port': unit.port },
        ...{ 'http.request.body.size': unit.sent, 'http.response.body.size': unit.received },
        ...(unit.aws === undefined
          ? {}
          : { 'rpc.system': 'aws-api', 'rpc.service': unit.aws.service, 'rpc.method': unit.aws.operation }),
      };
  }
}

/** Attributes as OTLP's list; 64-bit numbers are strings there. */
function pairs(all: Readonly<Record<string, Value | undefined>>): readonly object[] {
  return Object.entries(all).flatMap(([key, value]): readonly object[] => {
    if (value === undefined || (typeof value === 'number' && !Number.isSafeInteger(value))) return [];
    if (typeof value === 'string') return [{ key, value: { stringValue: plain(value) } }];
    if (typeof value === 'number') return [{ key, value: { intValue: String(value) } }];
    if (typeof value === 'boolean') return [{ key, value: { boolValue: value } }];
    return [{ key, value: { arrayValue: { values: value.map((one) => ({ stringValue: plain(one) })) } } }];
  });
}
