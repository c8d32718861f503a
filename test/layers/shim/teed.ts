import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import tls from 'node:tls';
import { getCA } from 'mockttp/dist/util/certificates';
import { createAuthority } from '../../../layers/capture/network/authority.ts';
import type { Ring } from '../../../layers/capture/ring.ts';
import type { WireBytes, WireClose, WireEvent, WireOpen } from '../../../layers/capture/wire/event.ts';

/** One direction of one layer, as the shim told it. */
export class Told {
  readonly #parts: Buffer[] = [];
  /** Bytes told without being shown, and offsets that jump: each is a hole of so many bytes. */
  readonly holes: { readonly at: number; readonly bytes: number }[] = [];
  next = 0;
  ends = 0;

  take(event: WireBytes): void {
    if (event.offset !== this.next) this.holes.push({ at: this.next, bytes: event.offset - this.next });
    if (event.leftOut) this.holes.push({ at: event.offset + event.bytes.length, bytes: event.total - event.bytes.length });
    if (event.total === 0) this.ends++;
    this.#parts.push(Buffer.from(event.bytes));
    this.next = event.offset + event.total;
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#parts);
  }
}

export class Conversation {
  readonly open: WireOpen | undefined;
  readonly clear = { sent: new Told(), received: new Told() };
  readonly tls = { sent: new Told(), received: new Told() };
  readonly hellos: Buffer[] = [];
  readonly closes: WireClose[] = [];
  readonly procs = new Set<string>();
  readonly runtimeApi: boolean[] = [];

  constructor(open?: WireOpen) {
    this.open = open;
  }

  take(event: WireBytes | WireClose): void {
    this.procs.add(event.proc);
    this.runtimeApi.push(event.runtimeApi);
    if (event.kind === 'close') this.closes.push(event);
    else if (event.hello) this.hellos.push(Buffer.from(event.bytes));
    else this[event.tls ? 'tls' : 'clear'][event.sent ? 'sent' : 'received'].take(event);
  }
}

/** Listens to what a ring tells of teed connections, in order. */
export class Teed {
  readonly conversations = new Map<number, Conversation>();
  readonly events: WireEvent['kind'][] = [];

  constructor(ring: Ring) {
    ring.wire = (event) => {
      this.events.push(event.kind);
      if (event.kind === 'open') this.conversations.set(event.conn, new Conversation(event));
      else this.#of(event.conn).take(event);
    };
  }

  #of(conn: number): Conversation {
    const known = this.conversations.get(conn) ?? new Conversation();
    this.conversations.set(conn, known);
    return known;
  }

  get all(): readonly Conversation[] {
    return [...this.conversations.values()];
  }
}

/** What went through a {@link relay} on one connection; `sent` by the client. */
export interface Heard {
  sent: Buffer;
  received: Buffer;
}

export interface Relay {
  readonly port: number;
  /** By the port the client came from. */
  readonly heard: Map<number, Heard>;
  close(): void;
}

function pass(socket: Socket, backend: number, heard: Map<number, Heard>, clientPort: number): void {
  const said: Heard = { sent: Buffer.alloc(0), received: Buffer.alloc(0) };
  heard.set(clientPort, said);
  const other = connect(backend, '127.0.0.1');
  const end = () => {
    socket.destroy();
    other.destroy();
  };
  socket.on('error', end).on('close', () => other.end());
  other.on('error', end);
  socket.on('data', (bytes: Buffer) => {
    said.sent = Buffer.concat([said.sent, bytes]);
    other.write(bytes);
  });
  other.on('data', (bytes: Buffer) => {
    said.received = Buffer.concat([said.received, bytes]);
    socket.write(bytes);
  });
  socket.on('end', () => other.end());
  other.on('end', () => socket.end());
}

async function listening(server: Server, host: string, heard: Map<number, Heard>): Promise<Relay> {
  const open = new Set<Socket>();
  server.on('connection', (socket: Socket) => open.add(socket.on('error', () => {})));
  server.listen(0, host);
  await once(server, 'listening');
  const close = () => {
    for (const socket of open) socket.destroy();
    server.close();
  };
  return { port: (server.address() as AddressInfo).port, heard, close };
}

/** In front of a server on 127.0.0.1: writes down what goes through. */
export function relay(backend: number, host = '127.0.0.2'): Promise<Relay> {
  const heard = new Map<number, Heard>();
  return listening(
    createServer((socket) => pass(socket, backend, heard, socket.remotePort ?? 0)),
    host,
    heard,
  );
}

/** The same, and it ends TLS: what is written down is the plaintext. */
export async function tlsRelay(backend: number, options: tls.TlsOptions = {}, host = '127.0.0.2'): Promise<Relay> {
  const heard = new Map<number, Heard>();
  const { key, cert } = await (await getCA(createAuthority())).generateCertificate('localhost');
  const server = tls.createServer({ key, cert, ...options }, (socket) => pass(socket, backend, heard, socket.remotePort ?? 0));
  server.on('tlsClientError', () => {});
  return listening(server, host, heard);
}
