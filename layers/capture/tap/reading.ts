import { createHash } from 'node:crypto';
import type { BodyDigest, Observation, ProcessId } from '../../record/types.ts';
import type { TapBody, TapHead, TapHeaders } from '../../tap/message.ts';
import { BodyBeginning } from '../excerpt.ts';
import { describeExchange } from '../network/exchanges.ts';

const SHA256 = /^[0-9a-f]{64}$/;

/**
 * Understands the message of a tap, see layers/tap/message.ts. It comes from the audited process, so everything in it is
 * checked. `undefined`: it is not one.
 * @param id names the exchange within the instance
 */
export function readTapMessage(message: Buffer, proc: ProcessId, id: string): Observation | undefined {
  if (message.length < 4) return undefined;
  const end = 4 + message.readUInt32LE(0);
  if (end > message.length) return undefined;
  const head = parseHead(message.toString('utf8', 4, end));
  if (head === undefined) return undefined;
  const middle = end + head.request.kept;
  if (middle + head.response.kept !== message.length) return undefined;
  const request = readBody(head.request, message.subarray(end, middle));
  const response = readBody(head.response, message.subarray(middle));
  return describeExchange({
    id,
    seenBy: 'tap',
    connection: { proc, peer: { addr: head.addr, port: head.port, proto: 'tcp' } },
    head: { method: head.method, scheme: head.scheme, target: head.target, headers: head.headers, from: head.from },
    to: head.to,
    answered: head.answered,
    status: head.status,
    responseHeaders: head.answer ?? {},
    requestBody: request.body,
    responseBody: response.body,
    request: request.digest,
    response: response.digest,
    error: head.error,
  });
}

function readBody({ bytes, complete, sha256 }: TapBody, kept: Buffer): { digest: BodyDigest; body: Buffer | undefined } {
  const body = complete && kept.length === bytes ? kept : undefined;
  const sum = complete ? (sha256 ?? (body && createHash('sha256').update(body).digest('hex'))) : undefined;
  const beginning = new BodyBeginning();
  beginning.add(kept);
  const text = beginning.text();
  return { digest: { bytes, ...(sum === undefined ? {} : { sha256: sum }), ...(text === undefined ? {} : { text }) }, body };
}

function parseHead(json: string): TapHead | undefined {
  let head: Partial<TapHead>;
  try {
    head = JSON.parse(json) as Partial<TapHead>;
  } catch {
    return undefined;
  }
  if (typeof head !== 'object' || head === null) return undefined;
  const { from, to, answered, scheme, addr, port, method, target, headers, status, answer, request, response, error } = head;
  const good =
    isCount(from) &&
    isCount(to) &&
    optionally(isCount, answered) &&
    (scheme === 'http' || scheme === 'https') &&
    isText(addr) &&
    isCount(port) &&
    port <= 65_535 &&
    isText(method) &&
    isText(target) &&
    isHeaders(headers) &&
    optionally(isCount, status) &&
    optionally(isHeaders, answer) &&
    isBody(request) &&
    isBody(response) &&
    optionally(isText, error);
  return good ? (head as TapHead) : undefined;
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
const isText = (value: unknown): value is string => typeof value === 'string';
const optionally = (check: (value: unknown) => boolean, value: unknown): boolean => value === undefined || check(value);
const isHeaders = (value: unknown): value is TapHeaders =>
  typeof value === 'object' &&
  value !== null &&
  Object.values(value).every((one) => isText(one) || (Array.isArray(one) && one.every(isText)));

function isBody(value: unknown): value is TapBody {
  const { bytes, complete, sha256, kept } = (value ?? {}) as Partial<TapBody>;
  if (!isCount(bytes) || !isCount(kept) || kept > bytes || typeof complete !== 'boolean') return false;
  return sha256 === undefined || (isText(sha256) && SHA256.test(sha256));
}
