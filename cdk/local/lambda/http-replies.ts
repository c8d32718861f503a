/** Small answers of the APIs inside an instance. */
import type { IncomingMessage, ServerResponse } from 'node:http';

export function sendJson(res: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  const text = JSON.stringify(body);
  res.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text), ...headers });
  res.end(text);
}

/** The error form of the Runtime, Extensions and Telemetry APIs. */
export function sendApiError(res: ServerResponse, status: number, errorType: string, errorMessage: string): void {
  sendJson(res, status, { errorMessage, errorType });
}

/** Whole body. Rejects when the client went away, or sent more than `limit` bytes. */
export async function readBody(req: IncomingMessage, limit: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of req as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size <= limit) chunks.push(chunk);
  }
  if (size > limit) throw new BodyTooLargeError(size, limit);
  return Buffer.concat(chunks);
}

export class BodyTooLargeError extends Error {
  readonly size: number;
  constructor(size: number, limit: number) {
    super(`The request body has ${size} bytes; at most ${limit} are allowed.`);
    this.name = 'BodyTooLargeError';
    this.size = size;
  }
}

export function header(req: IncomingMessage, name: string): string | undefined {
  const value = req.headers[name];
  return Array.isArray(value) ? value[0] : value;
}
