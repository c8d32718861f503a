import { createHash } from 'node:crypto';
import { isIP } from 'node:net';
import { posix } from 'node:path';
import { type Edge, LASTING, type Operation } from '../graph/model.ts';
import { closed, type ExportGraph, type ExportNode, type ExportStory, evidenceOf, functionsOf, lifeOf, sane } from './graph.ts';
import { plain } from './text.ts';

type Kind<K extends ExportNode['kind']> = Extract<ExportNode, { readonly kind: K }>;

/** Version of the schema: https://schema.ocsf.io/1.7.0/ */
const VERSION = '1.7.0';
const CLASSES = {
  file: { category_uid: 1, class_uid: 1001, class_name: 'File System Activity' },
  process: { category_uid: 1, class_uid: 1007, class_name: 'Process Activity' },
  finding: { category_uid: 2, class_uid: 2004, class_name: 'Detection Finding' },
  network: { category_uid: 4, class_uid: 4001, class_name: 'Network Activity' },
  http: { category_uid: 4, class_uid: 4002, class_name: 'HTTP Activity' },
} as const;
/** Evidence is not judged by its class: everything is informational. How bad a finding is, is not known. */
const SEVERITY = { unknown: 0, informational: 1 } as const;
const OTHER = 99;
const METHODS = ['CONNECT', 'DELETE', 'GET', 'HEAD', 'OPTIONS', 'POST', 'PUT', 'TRACE'];
type Activity = readonly [id: number, name: string];
const FILE: ReadonlyMap<Operation, Activity> = new Map([
  ['read', [2, 'Read']],
  ['exec', [14, 'Open']],
  ['write', [3, 'Update']],
  ['unlink', [4, 'Delete']],
  ['rename', [5, 'Rename']],
  ['chmod', [7, 'Set Security']],
  ['link', [OTHER, 'Link']],
]);
const NETWORK: ReadonlyMap<Operation, Activity> = new Map([
  ['connect', [1, 'Open']],
  ['send', [6, 'Traffic']],
  ['receive', [6, 'Traffic']],
  ['lookup', [OTHER, 'DNS lookup']],
]);

/**
 * OCSF events, one JSON object a line: each process begun and ended, what processes did to files and endpoints, every HTTP
 * exchange and HTTP request, and, of a story, one detection finding. What OCSF has no place for is in `unmapped`.
 */
export function* ocsf(whole: ExportGraph, told?: ExportStory): Generator<string> {
  const graph = closed(whole);
  const make = new Events(graph);
  for (const node of graph.nodes) {
    if (node.kind === 'process') yield* lines(make.process(node));
    else if (node.kind === 'exchange') yield* lines([make.exchange(node)]);
    else if (node.kind === 'request' && node.trigger?.type === 'http') yield* lines([make.request(node)]);
  }
  for (const edge of graph.edges) yield* lines(make.act(edge));
  if (told !== undefined) yield* lines([make.finding(told, graph.cut)]);
}

function* lines(events: readonly object[]): Generator<string> {
  for (const event of events) yield `${JSON.stringify(event)}\n`;
}

class Events {
  readonly #nodes: ReadonlyMap<string, ExportNode>;
  readonly #functions: ReadonlyMap<string, string>;
  readonly #parents: ReadonlyMap<string, string>;
  readonly #makers: ReadonlyMap<string, string>;

  constructor(graph: ExportGraph) {
    this.#nodes = new Map<string, ExportNode>(graph.nodes.map((node) => [node.id, node]));
    this.#functions = functionsOf(graph);
    const started = graph.edges.filter(({ op }) => op === 'start' || op === 'image');
    this.#parents = new Map<string, string>(started.map(({ from, to }) => [to, from]));
    this.#makers = new Map<string, string>(graph.edges.flatMap(({ op, from, to }) => (op === 'request' ? [[to, from]] : [])));
  }

  process(node: Kind<'process'>): readonly object[] {
    const parent = this.#process(this.#parents.get(node.id));
    const actor = parent === undefined ? {} : { actor: { process: parent } };
    const subject = { ...actor, process: this.#process(node.id), device: this.#device(node.instance) };
    const event = (activity: number, name: string, time: number, more: object) => ({
      ...base('process', activity, name, time, `${node.id}\n${name}`, node.partition),
      ...subject,
      ...more,
    });
    return [
      ...(node.started === undefined ? [] : [event(1, 'Launch', node.started, {})]),
      ...(node.exited === undefined
        ? []
        : [event(2, 'Terminate', node.exited, node.exitCode === undefined ? {} : { exit_code: node.exitCode })]),
    ];
  }

  exchange(node: Kind<'exchange'>): object {
    const [start, end] = lifeOf(node);
    const [activity, name] = methodOf(node.method);
    const hostname = plain(node.host, 255);
    const actor = this.#process(this.#makers.get(node.id));
    const path = plain(node.path);
    const url = {
      scheme: node.scheme,
      hostname,
      path,
      ...port(node.port),
      url_string: plain(`${node.scheme}://${node.host}${node.path}`),
    };
    return {
      ...base('http', activity, name, start, node.id, node.partition),
      ...{ start_time: ms(start), end_time: ms(end) },
      http_request: { http_method: plain(node.method, 40), url, body_length: node.sent },
      ...(node.status === undefined ? {} : { http_response: { code: node.status, body_length: node.received } }),
      dst_endpoint: {
        hostname,
        ...port(node.port),
        ...(node.addr !== undefined && isIP(node.addr) > 0 ? { ip: node.addr } : {}),
      },
      src_endpoint: this.#endpoint(node.instance),
      traffic: { bytes_out: node.sent, bytes_in: node.received, bytes: node.sent + node.received },
      unmapped: unmapped({
        process: actor,
        api: node.aws,
        error: node.error,
        sha256_out: node.sentSha,
        sha256_in: node.receivedSha,
      }),
    };
  }

  /** What called a function from outside. */
  request(node: Kind<'request'>): object {
    const [start, end] = lifeOf(node);
    const { method = '', path = '', sourceIp = '', userAgent = '' } = node.trigger ?? {};
    const [activity, name] = methodOf(method);
    const agent = userAgent === '' ? {} : { user_agent: plain(userAgent) };
    return {
      ...base('http', activity, name, start, node.id, node.partition),
      ...{ start_time: ms(start), end_time: ms(end) },
      http_request: { uid: plain(node.partition), http_method: plain(method, 40), url: { path: plain(path) }, ...agent },
      src_endpoint: isIP(sourceIp) > 0 ? { ip: sourceIp } : { name: plain(sourceIp, 255) || 'unknown' },
      dst_endpoint: this.#endpoint(node.instance),
      unmapped: unmapped({ status: node.status, error_type: node.errorType }),
    };
  }

  /** What a process did to a file or an endpoint; other edges are no events. */
  act(edge: Edge): readonly object[] {
    const [from, to] = [this.#nodes.get(edge.from), this.#nodes.get(edge.to)];
    const actor = from?.kind === 'process' ? from : to?.kind === 'process' ? to : undefined;
    const object = actor === from ? to : from;
    if (actor === undefined) return [];
    const process = this.#process(actor.id);
    const common = {
      count: edge.count,
      start_time: ms(edge.start),
      ...(edge.end >= LASTING ? {} : { end_time: ms(edge.end) }),
    };
    const more = unmapped({ evidence: evidenceOf(edge), sure: edge.sure, bytes: edge.bytes });
    const uid = `${edge.from}\n${edge.op}\n${edge.to}\n${edge.sure}`;
    if (object?.kind === 'file') {
      const [activity, name] = FILE.get(edge.op) ?? [OTHER, edge.op];
      const event = base('file', activity, name, edge.start, uid, actor.partition);
      const file = { name: plain(posix.basename(object.path)) || '/', path: plain(object.path), type_id: 0 };
      return [{ ...event, ...common, actor: { process }, file, device: this.#device(actor.instance), unmapped: more }];
    }
    if (object?.kind !== 'endpoint') return [];
    const [activity, name] = NETWORK.get(edge.op) ?? [OTHER, edge.op];
    const peer = {
      ...(object.host === undefined ? {} : { hostname: plain(object.host, 255) }),
      ...(object.addr !== undefined && isIP(object.addr) > 0 ? { ip: object.addr } : {}),
      ...port(object.port ?? 0),
    };
    const dst_endpoint = Object.keys(peer).length > 0 ? peer : { name: plain(object.label ?? object.id, 255) };
    const event = base('network', activity, name, edge.start, uid, actor.partition);
    const traffic = edge.op === 'receive' ? { bytes_in: edge.bytes } : { bytes_out: edge.bytes };
    const where = { src_endpoint: this.#endpoint(actor.instance), dst_endpoint, traffic: { ...traffic, bytes: edge.bytes } };
    return [{ ...event, ...common, ...where, unmapped: { ...more, process } }];
  }

  finding(told: ExportStory, cut: readonly string[]): object {
    const carried = told.steps.filter(({ role }) => role !== 'touched');
    const [first, last] = [Math.min(...told.steps.map(({ at }) => at)), Math.max(...told.steps.map(({ at }) => at))];
    const title = `How an attack came to ${plain(told.label, 200)}`;
    const sure = carried.every((step) => step.sure === 'exact');
    const requests = told.requests.length;
    const desc = `${carried.length} steps in ${requests} request${requests === 1 ? '' : 's'} of ${told.instances.length} instances`;
    return {
      ...base('finding', 1, 'Create', last, told.node, undefined),
      ...{ severity_id: SEVERITY.unknown, confidence_id: sure ? 3 : 2, status_id: 1 },
      ...{ message: `${title}: ${desc}`, start_time: ms(first), end_time: ms(last) },
      finding_info: {
        ...{
          uid: digest(told.node),
          title,
          desc,
          created_time: ms(last),
          first_seen_time: ms(first),
          last_seen_time: ms(last),
        },
        ...{ data_sources: ['AWS Lambda, recorded by Alastor'], related_events_count: carried.length },
      },
      evidences: carried.map((step) => ({
        name: plain(`${step.kind} ${step.label}: ${step.reason}`, 400),
        uid: plain(step.node, 600),
        data: { at: ms(step.at), sure: step.sure, records: evidenceOf(step) },
        ...(step.kind === 'process' ? { process: this.#process(step.node) } : {}),
      })),
      resources: told.instances.map((id) => ({ uid: plain(id), type: 'AWS Lambda instance', ...this.#named(id) })),
      unmapped: unmapped({
        requests: told.requests.map(({ requestId }) => plain(requestId)),
        cut: cut.map((line) => plain(line)),
      }),
    };
  }

  #process(id: string | undefined): object | undefined {
    const node = this.#nodes.get(id ?? '');
    if (node?.kind !== 'process') return undefined;
    const pid = Number(node.proc.split('@')[0]);
    const path = node.exe ?? node.argv?.[0];
    return {
      ...{ uid: plain(node.proc, 64), ...(Number.isSafeInteger(pid) ? { pid } : {}) },
      ...(path === undefined
        ? {}
        : {
            name: plain(posix.basename(path)),
            file: { name: plain(posix.basename(path)) || '/', path: plain(path), type_id: 1 },
          }),
      ...(node.argv === undefined ? {} : { cmd_line: plain(node.argv.join(' ')) }),
      ...(node.cwd === undefined ? {} : { working_directory: plain(node.cwd) }),
      ...(node.started === undefined ? {} : { created_time: ms(node.started) }),
    };
  }

  #named(instance: string): { readonly name?: string } {
    const name = this.#functions.get(instance);
    return name === undefined ? {} : { name: plain(name) };
  }

  #device(instance: string): object {
    return { type_id: OTHER, type: 'AWS Lambda instance', uid: plain(instance), ...this.#named(instance) };
  }

  #endpoint(instance: string): object {
    const { name } = this.#named(instance);
    return { type_id: OTHER, type: 'AWS Lambda instance', instance_uid: plain(instance), ...(name ? { svc_name: name } : {}) };
  }
}

function base(
  kind: keyof typeof CLASSES,
  activity: number,
  name: string,
  time: number,
  uid: string,
  request: string | undefined,
): object {
  const { category_uid, class_uid, class_name } = CLASSES[kind];
  return {
    ...{ category_uid, class_uid, class_name, activity_id: activity, activity_name: plain(name, 100) },
    ...{ type_uid: class_uid * 100 + activity, severity_id: SEVERITY.informational, time: ms(time) },
    metadata: {
      ...{
        version: VERSION,
        product: { name: 'Alastor', vendor_name: 'Alastor' },
        uid: digest(`${class_uid}\n${uid}\n${time}`),
      },
      ...(request === undefined ? {} : { correlation_uid: plain(request, 200) }),
    },
  };
}

function methodOf(method: string): Activity {
  const index = METHODS.indexOf(method.toUpperCase());
  if (index < 0) return [OTHER, method || 'Other'];
  const name = METHODS[index] ?? '';
  return [index + 1, `${name.charAt(0)}${name.slice(1).toLowerCase()}`];
}

const ms = (micros: number): number => Math.floor(sane(micros) / 1000);
const digest = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 32);
const port = (value: number): { readonly port?: number } => (value > 0 && value < 65_536 ? { port: value } : {});

function unmapped(all: Readonly<Record<string, unknown>>): object {
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}
