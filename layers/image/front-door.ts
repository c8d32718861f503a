import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, createConnection } from 'node:net';
import type { Duplex } from 'node:stream';
import { BodyMeter } from '../capture/body.ts';
import { MAX_HEADER_BYTES, pairs, passedHeaders, relayHead } from '../capture/forward.ts';
import { CALL_ID } from '../capture/handover/gateway.ts';
import { log } from '../capture/log.ts';
import type { Outcome } from '../capture/runtime-calls.ts';
import type { BodyDigest } from '../record/types.ts';
import { CallIds } from './call-ids.ts';

/** A request from outside, before the function has it. */
export interface Arrival {
  readonly reqId: string;
  /** What the caller (or the gateway) calls it: the same as `reqId`, unless another request has that already. */
  readonly callId: string | undefined;
  readonly method: string;
  readonly path: string;
  readonly host: string;
  readonly sourceIp: string | undefined;
  readonly userAgent: string | undefined;
  /** Without a digest when the body was not held until its end: a large or a streamed one. */
  readonly body: BodyDigest;
}

/** What the front door tells, in the order in which it happens. None of these may throw or take long. */
export interface DoorListener {
  begun(arrival: Arrival): void;
  /** The request goes to the function over a connection from this port. */
  handed(reqId: string, localPort: number): void;
  ended(reqId: string, outcome: Outcome): void;
}

export interface FrontDoorOptions {
  /** Where the function listens; waits for it when it is being started again. Undefined: it is gone. */
  readonly target: () => Promise<number | undefined>;
  readonly listener: DoorListener;
}

/** Bodies up to this size are read before the function gets the request, so that its beginning can name their digest. */
const HELD_BYTES = 64 * 1024;
const ID_HEADERS = ['x-call-id', 'x-request-id'] as const;

/** Stands before a function that serves HTTP: one request in is one request of the record. Bodies are streamed through. */
export class FrontDoor {
  readonly #options: FrontDoorOptions;
  readonly #ids = new CallIds();
  readonly #server: Server;

  constructor(options: FrontDoorOptions) {
    this.#options = options;
    this.#server = createServer({ requestTimeout: 0, headersTimeout: 0, keepAliveTimeout: 0, maxHeaderSize: MAX_HEADER_BYTES });
    this.#server.timeout = 0;
    this.#server.on('request', (client, answer) => {
      this.#serve(client, answer).catch((error: unknown) => fail(answer, error));
    });
    this.#server.on('upgrade', (client, socket, head) => {
      this.#upgrade(client, socket, head).catch(() => socket.destroy());
    });
    this.#server.on('clientError', (_error, socket) => socket.destroy());
  }

  /** @throws the system's error when the port is taken */
  async listen(port: number): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, () => resolve());
    });
    return (this.#server.address() as AddressInfo).port;
  }

  /** Takes no more requests; settled when those under way are answered. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeIdleConnections();
    await closed;
  }

  async #serve(client: IncomingMessage, answer: ServerResponse): Promise<void> {
    const length = Number(
      client.headers['content-length'] ?? (client.headers['transfer-encoding'] === undefined ? 0 : Number.NaN),
    );
    const held = length <= HELD_BYTES ? await readAll(client) : undefined;
    const arrival = this.#arrival(client, held === undefined ? { bytes: length || 0 } : digestOf(held));
    const { reqId } = arrival;
    const { listener } = this.#options;
    tell(() => listener.begun(arrival));
    const meter = new BodyMeter();
    let over = false;
    const end = (status: 'ok' | 'error' | 'crash', errorType?: string): void => {
      if (over) return;
      over = true;
      this.#ids.over(reqId);
      tell(() =>
        listener.ended(reqId, { status, response: meter.digest(), ...(errorType === undefined ? {} : { errorType }) }),
      );
    };
    const port = await this.#options.target();
    if (port === undefined) {
      end('crash', 'the function is not running');
      return fail(answer, new Error('the function is not running'));
    }
    const forward = request({
      host: '127.0.0.1',
      port,
      method: client.method,
      path: client.url,
      headers: ['Host', arrival.host, ...passedHeaders(client.rawHeaders)],
      agent: false,
      maxHeaderSize: MAX_HEADER_BYTES,
    });
    forward.once('socket', (socket) => {
      socket.setNoDelay(true);
      socket.once('connect', () => tell(() => listener.handed(reqId, socket.localPort ?? 0)));
    });
    forward.on('response', (response) => {
      relayHead(response, answer);
      response.on('data', (chunk: Buffer) => meter.add(chunk));
      response.pipe(answer, { end: false });
      response.on('end', () => {
        meter.end();
        const code = response.statusCode ?? 500;
        // Before the caller has the end of it: who calls again at once finds this request over.
        end(code < 500 ? 'ok' : 'error', code < 500 ? undefined : `HTTP ${code}`);
        if (response.rawTrailers.length > 0) answer.addTrailers(pairs(response.rawTrailers));
        answer.end();
      });
      response.on('error', (error) => {
        end('crash', error.message);
        answer.destroy();
      });
    });
    forward.on('error', (error) => {
      end(answer.destroyed ? 'error' : 'crash', answer.destroyed ? 'the caller hung up' : error.message);
      fail(answer, error);
    });
    answer.once('close', () => {
      if (!answer.writableFinished) forward.destroy(new Error('the caller hung up'));
    });
    if (held !== undefined) forward.end(held);
    else {
      client.pipe(forward, { end: false });
      client.on('end', () => {
        if (client.rawTrailers.length > 0) forward.addTrailers(pairs(client.rawTrailers));
        forward.end();
      });
    }
  }

  /** A WebSocket is one request, from its handshake until it is closed. */
  async #upgrade(client: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const arrival = this.#arrival(client, { bytes: 0 });
    const { listener } = this.#options;
    tell(() => listener.begun(arrival));
    let received = 0;
    const end = (): void => {
      this.#ids.over(arrival.reqId);
      tell(() => listener.ended(arrival.reqId, { status: 'ok', response: { bytes: received } }));
    };
    const port = await this.#options.target();
    if (port === undefined) {
      socket.destroy();
      return end();
    }
    const upstream = createConnection({ host: '127.0.0.1', port, noDelay: true });
    upstream.once('connect', () => tell(() => listener.handed(arrival.reqId, upstream.localPort ?? 0)));
    const lines = pairs(client.rawHeaders).map(([name, value]) => `${name}: ${value}\r\n`);
    upstream.write(`${client.method} ${client.url} HTTP/1.1\r\n${lines.join('')}\r\n`);
    upstream.write(head);
    upstream.on('data', (chunk: Buffer) => {
      received += chunk.length;
    });
    upstream.pipe(socket);
    socket.pipe(upstream);
    upstream.once('error', () => socket.destroy());
    socket.once('error', () => upstream.destroy());
    socket.once('close', () => upstream.destroy());
    upstream.once('close', () => {
      socket.end();
      end();
    });
  }

  #arrival(client: IncomingMessage, body: BodyDigest): Arrival {
    const callId = ID_HEADERS.map((name) => client.headers[name]).find(
      (id): id is string => typeof id === 'string' && CALL_ID.test(id),
    );
    const forwarded = client.headers['x-forwarded-for'];
    return {
      reqId: this.#ids.requestIdFor(callId),
      callId,
      method: client.method ?? 'GET',
      path: (client.url ?? '/').replace(/[?#].*$/s, ''),
      host: client.headers.host ?? 'localhost',
      // The nearest proxy appends whom it saw; what stands before that, anybody may have written.
      sourceIp: typeof forwarded === 'string' ? forwarded.split(',').at(-1)?.trim() : client.socket.remoteAddress,
      userAgent: client.headers['user-agent'],
      body,
    };
  }
}

async function readAll(client: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of client) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function digestOf(body: Buffer): BodyDigest {
  const meter = new BodyMeter();
  meter.add(body);
  meter.end();
  return meter.digest();
}

/** Recording must not fail what is recorded. */
function tell(event: () => void): void {
  try {
    event();
  } catch (error) {
    log('recording a request failed', error);
  }
}

function fail(answer: ServerResponse, error: unknown): void {
  if (answer.headersSent || answer.destroyed) return void answer.destroy();
  log('a request could not be handed to the function', error);
  answer.writeHead(502).end();
}
