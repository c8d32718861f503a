import { Agent, type ClientRequest, type IncomingMessage, type RequestOptions, request, type ServerResponse } from 'node:http';

/** Client context and Cognito identity travel in headers; Node's own limit is 16 KiB. */
export const MAX_HEADER_BYTES = 256 * 1024;

/** Headers that belong to one connection (RFC 9110, 7.6.1) or that Node sets itself. Transfer-Encoding and Trailer are kept: they say how the body ends. */
const OWN_HOP = new Set(['connection', 'keep-alive', 'proxy-connection', 'upgrade', 'host', 'expect']);

/** Connections that a long poll waits on; never timed out, because the environment may be frozen for hours meanwhile. */
const pollAgent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY });

/** `host:port` → the parts; the port of the Runtime API when none is given. */
export function splitAddress(address: string): { host: string; port: number } {
  const at = address.lastIndexOf(':');
  if (at < 0) return { host: address, port: 80 };
  return { host: address.slice(0, at).replace(/^\[|\]$/g, ''), port: Number(address.slice(at + 1)) };
}

/** Headers to pass on, as the flat list Node uses, spelled and ordered as they came. */
export function passedHeaders(raw: readonly string[]): string[] {
  const passed: string[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i] ?? '';
    if (!OWN_HOP.has(name.toLowerCase())) passed.push(name, raw[i + 1] ?? '');
  }
  return passed;
}

/** Trailers as Node's `addTrailers` wants them. */
export function pairs(raw: readonly string[]): [string, string][] {
  const list: [string, string][] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) list.push([raw[i] ?? '', raw[i + 1] ?? '']);
  return list;
}

/**
 * Opens the same request at the upstream. The body is left to the caller.
 * GETs share kept-alive connections; requests with a body get a connection of their own, since they could not be sent again
 * when a kept one turns out to be dead.
 */
export function openUpstream(upstream: string, client: IncomingMessage): ClientRequest {
  const { host, port } = splitAddress(upstream);
  const options: RequestOptions = {
    host,
    port,
    method: client.method,
    path: client.url,
    headers: ['Host', upstream, ...passedHeaders(client.rawHeaders)],
    agent: client.method === 'GET' ? pollAgent : false,
    maxHeaderSize: MAX_HEADER_BYTES,
    timeout: 0,
  };
  const opened = request(options);
  opened.setNoDelay(true);
  return opened;
}

/** Status and headers of the answer, as they came. */
export function relayHead(from: IncomingMessage, to: ServerResponse): void {
  to.sendDate = false;
  to.writeHead(from.statusCode ?? 502, from.statusMessage, passedHeaders(from.rawHeaders));
  to.flushHeaders();
}

/** Body and trailers of the answer, unbuffered and with back-pressure. */
export function relayBody(from: IncomingMessage, to: ServerResponse): void {
  from.pipe(to, { end: false });
  from.on('end', () => {
    if (from.rawTrailers.length > 0) to.addTrailers(pairs(from.rawTrailers));
    to.end();
  });
  from.on('error', () => to.destroy());
  from.on('aborted', () => to.destroy());
}
