import { createHash, type Hash } from 'node:crypto';
import type { BodyDigest, ExchangeObservation, Observation } from '../../record/types.ts';
import { nowMicros } from '../clock.ts';
import { BodyBeginning } from '../excerpt.ts';
import { contentParts, readExchange } from '../handover/index.ts';
import type { Connection } from './tunnel.ts';

/** How much of a body is looked at for identifiers. It is never stored, and never leaves this process. */
const MAX_LOOKED_AT = 1 << 20;
const MAX_QUERY_NAMES = 50;
const MAX_ERROR = 200;

export type Headers = Record<string, string | string[] | undefined>;

export interface RequestHead {
  readonly method: string;
  readonly scheme: 'http' | 'https';
  /** Request target in origin form, with the query string. */
  readonly target: string;
  readonly headers: Headers;
  readonly from: number;
  /** It asks for another protocol on this connection (WebSocket): what follows counts as its bodies. */
  readonly upgrade: boolean;
}

/** Running digest of a body, and its beginning. */
class BodyWatch {
  bytes = 0;
  complete = false;
  private readonly hash: Hash = createHash('sha256');
  private readonly beginning = new BodyBeginning();
  private kept: Uint8Array[] = [];
  private keptBytes = 0;

  add(chunk: Uint8Array): void {
    this.bytes += chunk.length;
    this.hash.update(chunk);
    this.beginning.add(chunk);
    if (this.keptBytes < MAX_LOOKED_AT) {
      this.kept.push(chunk);
      this.keptBytes += chunk.length;
    }
  }
  /** The whole body, or undefined when it was cut short or is longer than what is looked at. */
  take(): Buffer | undefined {
    const body = this.complete && this.bytes <= MAX_LOOKED_AT ? Buffer.concat(this.kept) : undefined;
    this.kept = [];
    return body;
  }
  digest(): ExchangeObservation['request'] {
    const text = this.beginning.text();
    const digest = this.complete ? { bytes: this.bytes, sha256: this.hash.digest('hex') } : { bytes: this.bytes };
    return text === undefined ? digest : { ...digest, text };
  }
}

const headerValue = (headers: Headers, name: string): string | undefined => {
  const value = headers[name];
  return Array.isArray(value) ? value[0] : value;
};

/** Names of the query parameters in order, each once; what cannot be decoded stays as it is. */
function queryNames(query: string): string[] {
  const names = new Set<string>();
  for (const part of query.split('&', MAX_QUERY_NAMES * 4)) {
    const name = part.split('=', 1)[0] ?? '';
    if (name === '' || names.size >= MAX_QUERY_NAMES) continue;
    try {
      names.add(decodeURIComponent(name));
    } catch {
      names.add(name);
    }
  }
  return [...names];
}

/** One request and its response while they are under way. */
export class Exchange {
  readonly connection: Connection;
  readonly request = new BodyWatch();
  readonly response = new BodyWatch();
  /** It will not come to its proper end. */
  cut = false;
  private readonly id: string;
  readonly head: RequestHead;
  private status: number | undefined;
  private responseHeaders: Headers = {};
  private answeredAt: number | undefined;

  constructor(id: string, connection: Connection, head: RequestHead) {
    this.id = id;
    this.connection = connection;
    this.head = head;
  }

  /** `at`: µs since 1970, when the head of the response was passed on. */
  answered(status: number, headers: Headers, at: number): void {
    this.status = status;
    this.answeredAt = at;
    this.responseHeaders = headers;
  }

  /** Ends it. `error` says what cut it short, if something did. */
  observation(error?: string): Observation {
    const { connection, head } = this;
    const requestBody = this.request.take();
    const responseBody = this.response.take();
    return describeExchange({
      id: this.id,
      connection,
      head,
      to: nowMicros(),
      answered: this.answeredAt,
      status: this.status,
      responseHeaders: this.responseHeaders,
      requestBody,
      responseBody,
      request: this.request.digest(),
      response: this.response.digest(),
      error,
    });
  }
}

/** Everything that was seen of an exchange, by the network proxy or by a tap. */
export interface SeenExchange {
  readonly id: string;
  readonly connection: Pick<Connection, 'peer' | 'proc' | 'sni'>;
  readonly head: Omit<RequestHead, 'upgrade'>;
  readonly to: number;
  readonly answered: number | undefined;
  readonly status: number | undefined;
  readonly responseHeaders: Headers;
  /** Whole bodies, when they are short enough to be looked at. */
  readonly requestBody: Buffer | undefined;
  readonly responseBody: Buffer | undefined;
  readonly request: BodyDigest;
  readonly response: BodyDigest;
  readonly error: string | undefined;
  readonly seenBy?: 'tap';
}

/** Makes the record of it: the same one, whatever has seen it. */
export function describeExchange(seen: SeenExchange): Observation {
  const { connection, head, status, requestBody, responseBody, error, answered } = seen;
  const { peer, proc, sni } = connection;
  const authority = headerValue(head.headers, ':authority') ?? headerValue(head.headers, 'host') ?? sni ?? peer.addr;
  const host = authority.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
  const question = head.target.indexOf('?');
  const path = question === -1 ? head.target : head.target.slice(0, question);
  const query = question === -1 ? [] : queryNames(head.target.slice(question + 1));
  const found = readExchange({
    method: head.method,
    host,
    port: peer.port,
    path: head.target,
    requestHeaders: head.headers,
    responseHeaders: seen.responseHeaders,
    ...(status === undefined ? {} : { status }),
    ...(requestBody === undefined ? {} : { requestBody }),
    ...(responseBody === undefined ? {} : { responseBody }),
  });
  return {
    kind: 'exchange',
    t: seen.to,
    ...(proc === undefined ? {} : { proc }),
    id: seen.id,
    ...(seen.seenBy === undefined ? {} : { seenBy: seen.seenBy }),
    from: head.from,
    to: seen.to,
    ...(answered === undefined ? {} : { answered }),
    method: head.method,
    scheme: head.scheme,
    host,
    port: peer.port,
    addr: peer.addr,
    path,
    ...(query.length === 0 ? {} : { query }),
    ...(status === undefined ? {} : { status }),
    request: withParts(seen.request, requestBody, head.headers),
    response: withParts(seen.response, responseBody, seen.responseHeaders),
    ...(error === undefined ? {} : { error: error.slice(0, MAX_ERROR) }),
    ...(found.aws === undefined ? {} : { aws: found.aws }),
    keys: found.keys,
    resources: found.resources,
  };
}

function withParts(digest: BodyDigest, body: Buffer | undefined, headers: Headers): BodyDigest {
  const parts = contentParts(body, headerValue(headers, 'content-encoding'));
  return parts === undefined ? digest : { ...digest, parts };
}
