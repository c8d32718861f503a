import { posix } from 'node:path';
import type { Edges, Totals } from './edges.ts';
import { type Line, nameOf, unquote } from './strace-lines.ts';

/** The peer in a printed sockaddr; undefined for families that are no peer (netlink), '' for a nameless Unix socket. */
export function peerIn(printed: string | undefined, proto: 'tcp' | 'udp'): string | undefined {
  if (printed === undefined) return undefined;
  const port = /sin6?_port=htons\((\d+)\)/.exec(printed)?.[1];
  const four = /inet_addr\("([^"]+)"\)/.exec(printed)?.[1];
  const six = /inet_pton\(AF_INET6, "([^"]+)"/.exec(printed)?.[1];
  if (port !== undefined && (four ?? six) !== undefined)
    return `${proto}:${(four ?? six)?.replace(/^::ffff:(?=\d+\.)/, '')}:${port}`;
  if (!printed.includes('AF_UNIX')) return undefined;
  const path = /sun_path=(@?)("(?:[^"\\]|\\.)*")/.exec(printed);
  return `unix:${path ? (path[1] ?? '') + unquote(path[2] ?? '""') : ''}`;
}

interface Socket {
  datagram: boolean;
  peer?: string;
  pair?: number;
  bound?: string;
}

/** Sockets by inode: the number is never used twice, so it survives dup, fork, exec and being passed on. */
export class Sockets {
  readonly #byInode = new Map<string, Socket>();
  readonly #edges: Edges;
  readonly #optional: Edges;
  readonly #bytes: Totals;
  readonly #pendingConnects: { readonly pid: number; readonly peer: string; readonly inode: string }[] = [];
  readonly #pendingAccepts: { readonly pid: number; readonly inode: string }[] = [];
  readonly #pendingBinds: { readonly pid: number; readonly inode: string; readonly asked: string }[] = [];
  readonly #moved = new Set<string>();
  readonly #byPid: { pid: number; inode: string; received: number; sent: number; peer: string | undefined }[] = [];

  constructor(edges: Edges, optional: Edges, bytes: Totals) {
    this.#edges = edges;
    this.#optional = optional;
    this.#bytes = bytes;
  }

  #of(inode: string): Socket {
    const known = this.#byInode.get(inode) ?? { datagram: false };
    this.#byInode.set(inode, known);
    return known;
  }

  /** Calls that make, name or ask about sockets. */
  see(line: Line, pid: number): void {
    const inode = nameOf(line.args[0] ?? '');
    const { datagram } = this.#of(inode);
    const proto = datagram ? 'udp' : 'tcp';
    switch (line.name) {
      case 'socket':
        this.#of(line.resultName).datagram = line.args[1]?.includes('SOCK_DGRAM') ?? false;
        break;
      case 'socketpair':
        for (const [, end] of (line.args[3] ?? '').matchAll(/<(socket:\[\d+\])>/g)) this.#of(end ?? '').pair = pid;
        break;
      case 'connect': {
        const peer = peerIn(line.args[1], proto);
        if (peer === undefined) break;
        this.#of(inode).peer = peer;
        this.#pendingConnects.push({ pid, peer, inode });
        break;
      }
      case 'accept':
      case 'accept4':
        this.#of(line.resultName).peer ??= peerIn(line.args[1], 'tcp') ?? '?';
        this.#pendingAccepts.push({ pid, inode: line.resultName });
        break;
      case 'bind': {
        const asked = peerIn(line.args[1], proto);
        if (asked !== undefined) this.#pendingBinds.push({ pid, inode, asked });
        break;
      }
      case 'getsockname':
        this.#of(inode).bound ??= peerIn(line.args[1], proto) ?? '?';
        break;
      case 'getpeername':
        if (this.#of(inode).peer === undefined || this.#of(inode).peer === '?')
          this.#of(inode).peer = peerIn(line.args[1], proto) ?? '?';
        break;
      default:
        break;
    }
  }

  /** `with_`: the address a datagram came from or goes to. */
  moved(pid: number, inode: string, received: number, sent: number, address?: string): void {
    const socket = this.#of(inode);
    this.#moved.add(inode);
    const other =
      socket.datagram && address !== undefined && !address.startsWith('unix:') ? address.replace(/^tcp/, 'udp') : undefined;
    if (sent > 0 && other !== undefined && socket.peer === undefined) this.#edges.add('connect', pid, other);
    if (socket.pair !== undefined) {
      if (received > 0) this.#edges.add('pair', pid, `from socketpair of ${socket.pair}`);
      if (sent > 0) this.#edges.add('pair', pid, `to socketpair of ${socket.pair}`);
    } else this.#byPid.push({ pid, inode, received, sent, peer: other });
  }

  /** Once the whole trace has been seen: addresses that were learned late are filled in. */
  finish(): void {
    for (const { pid, peer, inode } of this.#pendingConnects) {
      // A datagram socket that is only connected tells nobody anything: getaddrinfo sorts addresses that way.
      const idle = this.#of(inode).datagram && !this.#moved.has(inode);
      (idle ? this.#optional : this.#edges).add('connect', pid, peer);
    }
    for (const { pid, inode } of this.#pendingAccepts) this.#edges.add('accept', pid, this.#of(inode).peer ?? '?');
    for (const { pid, inode, asked } of this.#pendingBinds) {
      const bound = /:0$/.test(asked) ? (this.#of(inode).bound ?? asked) : asked;
      const address = asked.slice(0, asked.lastIndexOf(':'));
      this.#edges.add('bind', pid, bound === asked ? asked : address + bound.slice(bound.lastIndexOf(':')));
    }
    for (const { pid, inode, received, sent, peer } of this.#byPid) {
      const to = this.#of(inode).peer ?? peer;
      if (to !== undefined) this.#bytes.add(pid, to, received, sent);
    }
  }
}

export const resolve = (cwd: string, path: string) => {
  const clean = posix.normalize(path.startsWith('/') ? path : `${cwd}/${path}`);
  return clean.length > 1 && clean.endsWith('/') ? clean.slice(0, -1) : clean;
};
