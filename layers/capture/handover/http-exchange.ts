import { brotliDecompressSync, gunzipSync, inflateSync } from 'node:zlib';
import { parseCbor } from './cbor.ts';
import { isObject, type Json, parseObject } from './json.ts';

export interface HttpExchange {
  readonly method: string;
  /** Name or address, without port. */
  readonly host: string;
  readonly port: number;
  /** Request target with the query string. */
  readonly path: string;
  /** Names in lower case, as Node gives them. */
  readonly requestHeaders: Readonly<Record<string, string | string[] | undefined>>;
  readonly responseHeaders: Readonly<Record<string, string | string[] | undefined>>;
  readonly status?: number;
  readonly requestBody?: Buffer;
  readonly responseBody?: Buffer;
}

const MAX_BODY = 1 << 20;

const header = (headers: HttpExchange['requestHeaders'], name: string): string | undefined => {
  const value = headers[name];
  return Array.isArray(value) ? value[0] : value;
};

/** A body without its content encoding; undefined when there is none, or more than is looked at. */
export function decoded(body: Buffer | undefined, encoding: string | undefined): Buffer | undefined {
  if (body === undefined || body.length > MAX_BODY) return undefined;
  const limit = { maxOutputLength: MAX_BODY };
  try {
    if (encoding === 'gzip') return gunzipSync(body, limit);
    if (encoding === 'deflate') return inflateSync(body, limit);
    if (encoding === 'br') return brotliDecompressSync(body, limit);
  } catch {
    return undefined; // Broken, or a bomb.
  }
  return body;
}

const isCbor = (contentType: string | undefined): boolean => /^application\/(?:cbor|x-amz-cbor)/.test(contentType ?? '');

/** One exchange with its parts parsed when they are first asked for. */
export class ExchangeReader {
  readonly exchange: HttpExchange;
  readonly path: string;
  readonly query: URLSearchParams;
  private readonly cache = new Map<string, unknown>();

  constructor(exchange: HttpExchange) {
    this.exchange = exchange;
    const question = exchange.path.indexOf('?');
    this.path = question === -1 ? exchange.path : exchange.path.slice(0, question);
    this.query = new URLSearchParams(question === -1 ? '' : exchange.path.slice(question + 1));
  }

  get succeeded(): boolean {
    const { status } = this.exchange;
    return status !== undefined && status >= 200 && status < 300;
  }
  sent(name: string): string | undefined {
    return header(this.exchange.requestHeaders, name);
  }
  got(name: string): string | undefined {
    return header(this.exchange.responseHeaders, name);
  }
  /** Bodies without their content encoding. */
  get requestContent(): Buffer | undefined {
    return this.once('request bytes', () => decoded(this.exchange.requestBody, this.sent('content-encoding')));
  }
  get responseContent(): Buffer | undefined {
    return this.once('response bytes', () => decoded(this.exchange.responseBody, this.got('content-encoding')));
  }
  get requestText(): string | undefined {
    return this.once('request', () => this.requestContent?.toString('utf8'));
  }
  get responseText(): string | undefined {
    return this.once('response', () => this.responseContent?.toString('utf8'));
  }
  /** JSON and CBOR protocols; an empty object for anything else. */
  get input(): Json {
    return this.once('input', () => {
      return isCbor(this.sent('content-type')) ? fromCbor(this.requestContent) : (parseObject(this.requestText) ?? {});
    });
  }
  get output(): Json {
    return this.once('output', () => {
      return isCbor(this.got('content-type')) ? fromCbor(this.responseContent) : (parseObject(this.responseText) ?? {});
    });
  }
  /** Parameters of the Query protocol: form body, or query string of a GET. */
  get form(): URLSearchParams {
    return this.once('form', () =>
      this.sent('content-type')?.startsWith('application/x-www-form-urlencoded')
        ? new URLSearchParams(this.requestText ?? '')
        : this.query,
    );
  }
  /** Texts of the elements with this name in an XML answer, wherever they are. */
  elements(name: string, source = this.responseText): string[] {
    const found = source?.matchAll(new RegExp(`<${name}>([^<]{1,2000})</${name}>`, 'g')) ?? [];
    return Array.from(found, ([, value = '']) => unescapeXml(value));
  }

  private once<T>(name: string, make: () => T): T {
    if (!this.cache.has(name)) this.cache.set(name, make());
    return this.cache.get(name) as T;
  }
}

function fromCbor(body: Buffer | undefined): Json {
  const value = body === undefined ? undefined : parseCbor(body);
  return isObject(value) ? value : {};
}

const ENTITIES: Readonly<Record<string, string>> = { quot: '"', apos: "'", lt: '<', gt: '>', amp: '&' };
const unescapeXml = (value: string): string =>
  value.replace(/&(?:(quot|apos|lt|gt|amp)|#(\d{1,7})|#x([0-9a-f]{1,6}));/gi, (whole, name, decimal, hex) => {
    if (name) return ENTITIES[name.toLowerCase()] ?? whole;
    const point = decimal ? Number(decimal) : Number.parseInt(hex, 16);
    return point <= 0x10ffff ? String.fromCodePoint(point) : whole;
  });
