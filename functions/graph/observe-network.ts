import type {
  DnsObservation,
  Peer,
  SocketAcceptObservation,
  SocketBindObservation,
  SocketCloseObservation,
  SocketConnectObservation,
  TunnelObservation,
} from '../../layers/record/types.ts';
import type { Draft } from './draft.ts';
import type { Folded } from './draft-part.ts';
import { addressId, channelId, hostId, linkKey } from './ids.ts';
import { classify } from './paths.ts';

const DNS_PORT = 53;
/** Outside any instance's own traffic: name service cache and system log. */
const SYSTEM_SOCKETS = /^(?:\/(?:var\/)?run\/(?:nscd|dbus|systemd|avahi-daemon)\/|\/dev\/log$|\/tmp\/\.alastor\/)/;

export function isLoopback(addr: string): boolean {
  return addr === '127.0.0.1' || addr === '::1' || addr === '::ffff:127.0.0.1' || addr === 'localhost';
}

export function observeConnect(draft: Draft, record: SocketConnectObservation): void {
  const { peer, steered, errno } = record;
  if (errno !== undefined && errno !== 0 && errno !== EINPROGRESS) return;
  // An endpoint override such as a local engine: the exchanges that follow tell it all.
  if ((steered || record.tapped === true) && isLoopback(peer.addr)) return;
  if (isInside(peer)) {
    // Ask through the way in, hear through the way out: two clients of one server stay independent of each other.
    join(draft, peer, 'in', 'to');
    join(draft, peer, 'out', 'from');
    return;
  }
  if (isResolver(peer) || isLinkLocal(peer.addr)) return;
  const endpoint = address(draft, peer);
  draft.edge(draft.actor(), 'connect', endpoint, draft.t, draft.t, 0, steered ? 'inferred' : 'exact');
  if (!steered) linkAddress(draft, peer.addr, draft.actor());
}

export function observeAccept(draft: Draft, record: SocketAcceptObservation | SocketBindObservation): void {
  const port = record.kind === 'socket-accept' ? record.localPort : record.peer.port;
  const peer: Peer = record.peer.proto === 'unix' ? record.peer : { ...record.peer, addr: '127.0.0.1', port };
  if (!isInside(peer) || (peer.proto !== 'unix' && port === 0)) return;
  join(draft, peer, 'in', 'from');
  join(draft, peer, 'out', 'to');
}

export function observeSocketClose(draft: Draft, { peer, sent, received }: SocketCloseObservation): void {
  if (isInside(peer) || isResolver(peer) || isLinkLocal(peer.addr) || sent + received === 0) return;
  const endpoint = address(draft, peer);
  const actor = draft.actor();
  // `inferred` until it is known whether the proxy saw the same bytes as an exchange; see `local.ts`.
  if (sent > 0) draft.edge(actor, 'send', endpoint, draft.t, draft.t, sent, 'inferred');
  if (received > 0) draft.edge(endpoint, 'receive', actor, draft.t, draft.t, received, 'inferred');
}

export function observeDns(draft: Draft, { name, addrs }: DnsObservation): void {
  const host = endpointHost(draft, name);
  draft.edge(draft.actor(), 'lookup', host);
  for (const addr of addrs.slice(0, 16)) draft.edge(address(draft, { addr, port: 0 }), 'alias', host);
  draft.link('endpoint', hostKey(name), 'at', draft.actor());
}

export function observeTunnel(draft: Draft, record: TunnelObservation): void {
  const { from: start, to: end, peer, sni, sent, received } = record;
  if (isInside(peer)) return;
  const endpoint = sni === undefined ? address(draft, peer) : endpointHost(draft, sni, peer.port, peer.addr);
  const actor = draft.actor();
  draft.edge(actor, 'send', endpoint, start, end, sent);
  if (received > 0) draft.edge(endpoint, 'receive', actor, start, end, received);
  if (sni !== undefined) draft.link('endpoint', hostKey(sni), 'at', actor, start);
  linkAddress(draft, peer.addr, actor, start);
}

export const hostKey = (host: string) => linkKey('host', host.toLowerCase());
export const addressKey = (addr: string) => linkKey('addr', addr);

export function endpointHost(draft: Draft, host: string, port?: number, addr?: string): Folded {
  return draft.node({
    ...{ kind: 'endpoint', id: hostId(host), host: host.toLowerCase(), first: draft.t, last: draft.t },
    ...(port === undefined ? {} : { port }),
    ...(addr === undefined ? {} : { addr }),
  });
}

export function linkAddress(draft: Draft, addr: string, node: Folded, t = draft.t): void {
  draft.link('endpoint', addressKey(addr), 'at', node, t);
}

function address(draft: Draft, { addr, port }: Pick<Peer, 'addr' | 'port'>): Folded {
  return draft.node({ kind: 'endpoint', id: addressId(addr, port), addr, port, first: draft.t, last: draft.t });
}

function join(draft: Draft, { proto, addr, port }: Peer, way: 'in' | 'out', direction: 'from' | 'to'): void {
  const name = proto === 'unix' ? `unix:${addr}` : `${proto}:${port}`;
  const node = draft.node({
    ...{ kind: 'endpoint', id: channelId(draft.instance, way, name), local: draft.instance },
    ...{ addr: proto === 'unix' ? addr : '127.0.0.1', port, first: draft.t, last: draft.t },
  });
  const actor = draft.actor();
  if (direction === 'to') draft.edge(actor, 'send', node);
  else draft.edge(node, 'receive', actor);
  draft.linkOwn('file', direction === 'to' ? 'out' : 'in', node);
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
