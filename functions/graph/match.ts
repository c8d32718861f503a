/** Whether a node is what an investigator looks for: for searches that no index can answer. */
import { BlockList, isIP } from 'node:net';
import type { Node } from './model.ts';

/** What a text is looked for as. */
export const SUBJECTS = ['address', 'host', 'url', 'path', 'process', 'hash', 'resource', 'id'] as const;
export type Subject = (typeof SUBJECTS)[number];

export type Matcher = (node: Node) => boolean;

/** Subjects that the text can be. */
export function subjectsOf(q: string): readonly Subject[] {
  return SUBJECTS.filter((subject) => matcher(q, subject) !== undefined);
}

/**
 * A host is matched with its subdomains, a path with what is below it or as a pattern, the rest as a part of the text.
 * @returns undefined when the text cannot be such a thing
 */
export function matcher(q: string, subject: Subject): Matcher | undefined {
  const text = q.toLowerCase();
  switch (subject) {
    case 'address':
      return addresses(q);
    case 'host':
      return hosts(text.replace(/^\*?\./, ''));
    case 'url':
      return (node) => urlsOf(node).some((url) => url.toLowerCase().includes(text));
    case 'path':
      return q.startsWith('/') || hasWildcard(q) ? paths(q) : undefined;
    case 'process':
      return (node) =>
        node.kind === 'process' && [node.exe ?? '', ...(node.argv ?? [])].some((part) => part.toLowerCase().includes(text));
    case 'hash':
      return /^(?:[0-9a-f]{16}|[0-9a-f]{64})$/.test(text) ? (node) => digestsOf(node).includes(text) : undefined;
    case 'resource':
      return (node) => node.kind === 'resource' && node.resource.toLowerCase().includes(text);
    case 'id':
      return (node) => node.id === q || idsOf(node).some((id) => id.includes(q));
  }
}

/** An address, or a range in CIDR notation. */
function addresses(q: string): Matcher | undefined {
  const [addr = '', prefix] = q.split('/', 2);
  const family = isIP(addr);
  const bits = prefix === undefined ? (family === 4 ? 32 : 128) : /^\d{1,3}$/.test(prefix) ? Number(prefix) : -1;
  if (family === 0 || bits < 0 || bits > (family === 4 ? 32 : 128)) return undefined;
  const list = new BlockList();
  list.addSubnet(addr, bits, family === 4 ? 'ipv4' : 'ipv6');
  const within = (one: string | undefined) => {
    if (one === undefined) return false;
    const kind = isIP(one);
    return kind !== 0 && list.check(one, kind === 4 ? 'ipv4' : 'ipv6');
  };
  return (node) => {
    if (node.kind === 'endpoint' || node.kind === 'exchange') return within(node.addr) || within(node.host);
    if (node.kind === 'client') return within(node.sourceIp);
    return node.kind === 'request' && within(node.trigger?.sourceIp);
  };
}

function hosts(host: string): Matcher | undefined {
  if (!/^[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?$/.test(host)) return undefined;
  const under = `.${host}`;
  return (node) => {
    if (node.kind !== 'endpoint' && node.kind !== 'exchange') return false;
    const name = node.host?.toLowerCase();
    return name === host || name?.endsWith(under) === true;
  };
}

function urlsOf(node: Node): readonly string[] {
  if (node.kind === 'exchange') return [`${node.scheme}://${node.host}${node.path}`];
  return node.kind === 'request' && node.trigger?.path !== undefined ? [node.trigger.path] : [];
}

function pathsOf(node: Node): readonly string[] {
  if (node.kind === 'file') return [node.path];
  return node.kind === 'process' && node.exe !== undefined ? [node.exe] : [];
}

function digestsOf(node: Node): readonly (string | undefined)[] {
  if (node.kind === 'request') return [node.eventSha, node.responseSha];
  if (node.kind !== 'exchange') return [];
  return [node.sentSha, node.receivedSha, ...(node.sentParts ?? []), ...(node.receivedParts ?? [])];
}

function idsOf(node: Node): readonly string[] {
  if (node.kind === 'request') return [node.partition, ...(node.keys ?? []).map(({ key }) => key)];
  return node.kind === 'exchange' ? node.keys.map(({ key }) => key) : [];
}

const hasWildcard = (q: string) => /[*?]/.test(q);

function paths(q: string): Matcher {
  const below = q.endsWith('/') ? q : `${q}/`;
  const matches = hasWildcard(q) ? (path: string) => glob(q, path) : (path: string) => path === q || path.startsWith(below);
  return (node) => pathsOf(node).some(matches);
}

/** `*` is any run of characters, `/` too; `?` is one. Takes pattern times text at the most, whatever either says. */
export function glob(pattern: string, text: string): boolean {
  let p = 0;
  let t = 0;
  let star = -1;
  let from = 0;
  while (t < text.length) {
    if (pattern[p] === '*') {
      star = p++;
      from = t;
    } else if (p < pattern.length && (pattern[p] === '?' || pattern[p] === text[t])) {
      p++;
      t++;
    } else if (star >= 0) {
      p = star + 1;
      t = ++from;
    } else return false;
  }
  while (pattern[p] === '*') p++;
  return p === pattern.length;
}
