import { createHash } from 'node:crypto';
import { isIPv4, isIPv6 } from 'node:net';
import { posix } from 'node:path';
import { closed, type ExportGraph, type ExportNode, lifeOf, placeOf, sane } from './graph.ts';
import { plain } from './text.ts';

type Properties = Readonly<Record<string, unknown>>;
type StixObject = { readonly type: string; readonly id: string } & Properties;
type ExchangeNode = Extract<ExportNode, { readonly kind: 'exchange' }>;
type ProcessNode = Extract<ExportNode, { readonly kind: 'process' }>;

/** Namespace of ids of observables: https://docs.oasis-open.org/cti/stix/v2.1/os/stix-v2.1-os.html section 2.9 */
const OBSERVABLES = '00abedb4-aa42-466c-9fed-23bfb40ae7e4';
/** Of all other objects: what Alastor says about a node has the same id in every export. */
const ALASTOR = '5f0e3a52-0d6b-5c0e-9b0a-6a1c3f2b7d10';
/** Objects have to say when they were made; what is said of the same nodes is the same object, so that it is a fixed time. */
const MADE = '2026-01-01T00:00:00.000Z';

/**
 * STIX 2.1: the observables of a graph (addresses, domains, URLs, files, processes, traffic), and for each request an
 * `observed-data` that names those seen in it. Nothing says which of them are malicious: that is the analyst's to add.
 */
export function stix(whole: ExportGraph): string {
  const graph = closed(whole);
  const found = new Observables();
  const seen = new Map<string | undefined, Set<string>>();
  const note = (node: ExportNode | undefined, ids: readonly string[]) => {
    const place = node === undefined ? undefined : placeOf(node);
    for (const id of ids) seen.set(place, (seen.get(place) ?? new Set()).add(id));
  };
  const byId = new Map<string, ExportNode>(graph.nodes.map((node) => [node.id, node]));
  for (const node of graph.nodes) note(node, found.of(node));
  // Files, endpoints and clients were seen in the requests they have an edge with.
  for (const { from, to } of graph.edges) {
    for (const [shared, other] of [
      [byId.get(from), byId.get(to)],
      [byId.get(to), byId.get(from)],
    ] as const) {
      if (shared !== undefined && placeOf(shared) === undefined && other !== undefined && placeOf(other) !== undefined) {
        note(other, found.of(shared));
      }
    }
  }
  const author = { type: 'identity', id: made('identity', 'alastor') };
  const common = { spec_version: '2.1', created: MADE, modified: MADE };
  const objects: StixObject[] = [
    { ...author, ...common, name: 'Alastor', identity_class: 'system' },
    ...found.objects.values(),
  ];
  const observed: string[] = [];
  for (const [place, refs] of [...seen].sort(([a = ''], [b = '']) => (a < b ? -1 : 1))) {
    const inside = graph.nodes.filter((node) => placeOf(node) === place);
    const [first, last] = [Math.min(...inside.map((one) => lifeOf(one)[0])), Math.max(...inside.map((one) => lifeOf(one)[1]))];
    const id = made('observed-data', `${place ?? 'elsewhere'}\n${[...refs].sort().join('\n')}`);
    observed.push(id);
    objects.push({
      ...{ type: 'observed-data', id, ...common, created_by_ref: author.id, number_observed: 1 },
      ...{ first_observed: stamp(first), last_observed: stamp(Math.max(first, last)), object_refs: [...refs].sort() },
      ...(place === undefined
        ? {}
        : { external_references: [{ source_name: 'alastor', external_id: plain(`request:${place}`, 600) }] }),
    });
  }
  const left = [
    ...graph.cut,
    ...(found.skipped === 0 ? [] : [`${found.skipped} names that are no domain name, address or URL`]),
  ];
  if (left.length > 0 && observed.length > 0) {
    const content = left.map((line) => plain(line)).join('; ');
    objects.push({
      ...{ type: 'note', id: made('note', `${content}\n${observed.join('\n')}`), ...common, created_by_ref: author.id },
      ...{ abstract: 'Not in this bundle', content, object_refs: observed },
    });
  }
  const ids = objects.map(({ id }) => id).join('\n');
  return `${JSON.stringify({ type: 'bundle', id: made('bundle', ids), objects })}\n`;
}

class Observables {
  readonly objects = new Map<string, StixObject>();
  skipped = 0;
  readonly #done = new Map<string, readonly string[]>();

  /** Ids of what a node is in STIX; the objects are added once. */
  of(node: ExportNode): readonly string[] {
    const before = this.#done.get(node.id);
    if (before !== undefined) return before;
    const ids = this.#made(node).filter((id) => id !== undefined);
    this.#done.set(node.id, ids);
    return ids;
  }

  #made(node: ExportNode): readonly (string | undefined)[] {
    switch (node.kind) {
      case 'file':
        return [this.#file(node.path)];
      case 'endpoint':
        return node.local === undefined ? [this.#peer(node.host ?? node.addr ?? '')] : [];
      case 'client':
        return [this.#peer(node.sourceIp)];
      case 'process':
        return [this.#process(node)];
      case 'exchange':
        return this.#exchange(node);
      default:
        return [];
    }
  }

  #add(type: string, contributing: Properties, others: Properties = {}): string {
    const id = `${type}--${uuid5(OBSERVABLES, canonical(contributing))}`;
    this.objects.set(id, { type, id, spec_version: '2.1', ...contributing, ...others });
    return id;
  }

  #peer(name: string): string | undefined {
    const value = name.toLowerCase().replace(/^\[(.*)\]$/, '$1');
    if (isIPv4(value)) return this.#add('ipv4-addr', { value });
    if (isIPv6(value) && !value.includes('%')) return this.#add('ipv6-addr', { value });
    // Host names as RFC 1123 has them; anything else in evidence is no domain name.
    if (/^(?=.{1,253}$)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(value)) {
      return this.#add('domain-name', { value });
    }
    if (name !== '') this.skipped++;
    return undefined;
  }

  #file(path: string): string | undefined {
    const name = posix.basename(path);
    if (name === '') return undefined;
    const folder = posix.dirname(path);
    const parent = folder === '.' ? {} : { parent_directory_ref: this.#add('directory', { path: plain(folder) }) };
    return this.#add('file', { name: plain(name), ...parent });
  }

  /**
   * A process has no properties that identify it everywhere, so that the standard wants a UUID of version 4, which says nothing of how it was
   * made. It is made of the node's id all the same: the same process has the same id in every export.
   */
  #process(node: ProcessNode): string {
    const id = made('process', node.id).replace(/-5(?=[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$)/, '-4');
    const pid = Number(node.proc.split('@')[0]);
    const image = node.exe === undefined ? undefined : this.#file(node.exe);
    this.objects.set(id, {
      ...{ type: 'process', id, spec_version: '2.1', created_time: stamp(lifeOf(node)[0]) },
      ...(Number.isSafeInteger(pid) ? { pid } : {}),
      command_line: plain(node.argv?.join(' ') || node.exe || 'process'),
      ...(node.cwd ? { cwd: plain(node.cwd) } : {}),
      ...(image === undefined ? {} : { image_ref: image }),
    });
    return id;
  }

  #exchange(node: ExchangeNode): readonly (string | undefined)[] {
    const domain = this.#peer(node.host);
    const address = node.addr === undefined ? undefined : this.#peer(node.addr);
    const target = address ?? domain;
    const port = node.port > 0 && node.port < 65_536 ? { dst_port: node.port } : {};
    const secure = node.scheme === 'https' ? ['tls'] : [];
    const [start, end] = lifeOf(node).map(stamp);
    const method = plain(node.method, 40).toLowerCase() || 'get';
    const extensions = { 'http-request-ext': { request_method: method, request_value: plain(node.path) || '/' } };
    const traffic =
      target === undefined
        ? undefined
        : this.#add(
            'network-traffic',
            { start, end, dst_ref: target, ...port, protocols: ['tcp', ...secure, 'http'], extensions },
            { is_active: false, src_byte_count: node.sent, dst_byte_count: node.received },
          );
    return [domain, address, this.#url(node), traffic];
  }

  #url({ scheme, host, port, path }: ExchangeNode): string | undefined {
    const usual = port === (scheme === 'https' ? 443 : 80);
    const url = URL.parse(`${scheme}://${host}${usual ? '' : `:${port}`}${path}`);
    if (url !== null) return this.#add('url', { value: plain(url.href) });
    this.skipped++;
    return undefined;
  }
}

const made = (type: string, name: string): string => `${type}--${uuid5(ALASTOR, `${type}\n${name}`)}`;

/** To the ms, as STIX tools compare times. */
const stamp = (micros: number): string => new Date(Math.floor(sane(micros) / 1000)).toISOString();

/** RFC 9562, version 5. */
export function uuid5(namespace: string, name: string): string {
  const hash = createHash('sha1')
    .update(Buffer.from(namespace.replaceAll('-', ''), 'hex'))
    .update(name.toWellFormed());
  const bytes = hash.digest().subarray(0, 16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x50;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** JSON with sorted keys (RFC 8785, for the strings and whole numbers used here). */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, inner]) => `${JSON.stringify(key)}:${canonical(inner)}`).join(',')}}`;
}
