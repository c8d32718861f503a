import type {
  AuditRecord,
  DnsObservation,
  Peer,
  SocketAcceptObservation,
  SocketBindObservation,
  SocketCloseObservation,
  SocketConnectObservation,
  TunnelObservation,
} from '../../layers/record/types.ts';
import type { Draft } from './draft.ts';
import { addressId, channelId, hostId, linkKey, type NodeId, partitionOf } from './ids.ts';
import { classify } from './paths.ts';

const DNS_PORT = 53;
/** Outside any instance's own traffic: name service cache and system log. */
const SYSTEM_SOCKETS = /^(?:\/(?:var\/)?run\/(?:nscd|dbus|systemd|avahi-daemon)\/|\/dev\/log$|\/tmp\/\.alastor\/)/;

export function isLoopback(addr: string): boolean {
  return addr === '127.0.0.1' || addr === '::1' || addr === '::ffff:127.0.0.1' || addr === 'localhost';
}

export function observeConnect(draft: Draft, record: AuditRecord & SocketConnectObservation): void {
  const { peer, t: start } = record;
  if (record.errno !== undefined && record.errno !== 0 && record.errno !== EINPROGRESS) return;
  // An endpoint override such as a local engine: the exchanges that follow tell it all.
  if ((record.steered || record.tapped === true) && isLoopback(peer.addr)) return;
  if (isInside(peer)) {
    // Ask through the way in, hear through the way out: two clients of one server stay independent of each other.
    join(draft, record, peer, 'in', 'to');
    join(draft, record, peer, 'out', 'from');
    return;
  }
  if (isResolver(peer) || isLinkLocal(peer.addr)) return;
  const endpoint = address(draft, record, peer);
  draft.edge(record, {
    from: draft.actor(record),
    to: endpoint,
    op: 'connect',
    start,
    sure: record.steered ? 'inferred' : 'exact',
  });
  if (!record.steered) linkAddress(draft, record, peer.addr, draft.actor(record));
}

export function observeAccept(draft: Draft, record: AuditRecord & (SocketAcceptObservation | SocketBindObservation)): void {
  const port = record.kind === 'socket-accept' ? record.localPort : record.peer.port;
  const peer: Peer = record.peer.proto === 'unix' ? record.peer : { ...record.peer, addr: '127.0.0.1', port };
  if (!isInside(peer) || (peer.proto !== 'unix' && port === 0)) return;
  join(draft, record, peer, 'in', 'from');
  join(draft, record, peer, 'out', 'to');
}

export function observeSocketClose(draft: Draft, record: AuditRecord & SocketCloseObservation): void {
  const { peer, t: start } = record;
  if (isInside(peer) || isResolver(peer) || isLinkLocal(peer.addr) || record.sent + record.received === 0) return;
  const endpoint = address(draft, record, peer);
  const actor = draft.actor(record);
  // `inferred` until it is known whether the proxy saw the same bytes as an exchange; see `local.ts`.
  if (record.sent > 0)
    draft.edge(record, { from: actor, to: endpoint, op: 'send', start, bytes: record.sent, sure: 'inferred' });
  if (record.received > 0) {
    draft.edge(record, { from: endpoint, to: actor, op: 'receive', start, bytes: record.received, sure: 'inferred' });
  }
}

export function observeDns(draft: Draft, record: AuditRecord & DnsObservation): void {
  const host = endpointHost(draft, record, record.name);
  draft.edge(record, { from: draft.actor(record), to: host, op: 'lookup', start: record.t });
  for (const addr of record.addrs.slice(0, 16)) {
    const id = draft.node(partitionOf(record), {
      ...{ kind: 'endpoint', id: addressId(addr, 0), addr, port: 0, first: record.t, last: record.t },
    });
    draft.edge(record, { from: id, to: host, op: 'alias', start: record.t });
  }
  draft.link('endpoint', record, { key: hostKey(record.name), direction: 'at', node: draft.actor(record) });
}

export function observeTunnel(draft: Draft, record: AuditRecord & TunnelObservation): void {
  const { from: start, to: end, peer, sni } = record;
  if (isInside(peer)) return;
  const endpoint = sni === undefined ? address(draft, record, peer) : endpointHost(draft, record, sni, peer.port, peer.addr);
  const actor = draft.actor(record);
  draft.edge(record, { from: actor, to: endpoint, op: 'send', start, end, bytes: record.sent });
  if (record.received > 0) draft.edge(record, { from: endpoint, to: actor, op: 'receive', start, end, bytes: record.received });
  if (sni !== undefined) draft.link('endpoint', record, { key: hostKey(sni), direction: 'at', node: actor, t: start });
  linkAddress(draft, record, peer.addr, actor, start);
}

export const hostKey = (host: string) => linkKey('host', host.toLowerCase());
export const addressKey = (addr: string) => linkKey('addr', addr);

export function endpointHost(draft: Draft, record: AuditRecord, host: string, port?: number, addr?: string): NodeId {
  return draft.node(partitionOf(record), {
    ...{ kind: 'endpoint', id: hostId(host), host: host.toLowerCase(), first: record.t, last: record.t },
    ...(port === undefined ? {} : { port }),
    ...(addr === undefined ? {} : { addr }),
  });
}

export function linkAddress(draft: Draft, record: AuditRecord, addr: string, node: NodeId, t?: number): void {
  draft.link('endpoint', record, { key: addressKey(addr), direction: 'at', node, ...(t === undefined ? {} : { t }) });
}

export function address(draft: Draft, record: AuditRecord, { addr, port }: Pick<Peer, 'addr' | 'port'>): NodeId {
  return draft.node(partitionOf(record), {
    ...{ kind: 'endpoint', id: addressId(addr, port), addr, port, first: record.t, last: record.t },
  });
}

function join(draft: Draft, record: AuditRecord, peer: Peer, way: 'in' | 'out', direction: 'from' | 'to'): void {
  const name = peer.proto === 'unix' ? `unix:${peer.addr}` : `${peer.proto}:${peer.port}`;
  const node = draft.node(partitionOf(record), {
    ...{ kind: 'endpoint', id: channelId(draft.instance, way, name), local: draft.instance },
    ...{ addr: peer.proto === 'unix' ? peer.addr : '127.0.0.1', port: peer.port, first: record.t, last: record.t },
  });
  const actor = draft.actor(record);
  const [from, to] = direction === 'to' ? [actor, node] : [node, actor];
  draft.edge(record, { from, to, op: direction === 'to' ? 'send' : 'receive', start: record.t });
  draft.link('file', record, { key: linkKey(node), direction: direction === 'to' ? 'out' : 'in', node });
}

function isInside(peer: Peer): boolean {
  return peer.proto === 'unix'
    ? !SYSTEM_SOCKETS.test(peer.addr) && classify(peer.addr, true).as !== 'nothing'
    : isLoopback(peer.addr);
}

/**
 * Where a function's own look-ups go, which are recorded by the names: the network's resolver has a private address (RFC 1918,
 * 4193, 6598) or one of 127.0.0.0/16. Who speaks DNS with anybody else may say anything by it.
 */
function isResolver({ addr, port }: Peer): boolean {
  return (
    port === DNS_PORT &&
    /^(?:10|127\.0|192\.168|172\.(?:1[6-9]|2\d|3[01])|100\.(?:6[4-9]|[7-9]\d|1[01]\d|12[0-7]))\.|^f[cd]|^::1$/i.test(addr)
  );
}

function isLinkLocal(addr: string): boolean {
  return addr.startsWith('169.254.') || /^fe[89ab][0-9a-f]:/i.test(addr);
}

/** errno of a non-blocking connect under way, Linux. */
const EINPROGRESS = 115;
