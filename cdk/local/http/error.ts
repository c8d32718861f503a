import type { ServerResponse } from 'node:http';
import { uuid } from '../ids.ts';
import { send } from './exchange.ts';
import { element } from './xml.ts';

/** An error that a caller of a service gets, in the shape of that service's protocol. */
export class ServiceError extends Error {
  readonly code: string;
  readonly status: number;
  /** Code in the query protocol where it differs, e.g. `AWS.SimpleQueueService.NonExistentQueue`. */
  readonly queryCode: string;

  constructor(code: string, message: string, status = 400, queryCode = code) {
    super(message);
    this.name = 'ServiceError';
    this.code = code;
    this.status = status;
    this.queryCode = queryCode;
  }

  /** Anything thrown, as an error of the service; what was not expected becomes a 500 that says so. */
  static of(cause: unknown): ServiceError {
    if (cause instanceof ServiceError) return cause;
    return new ServiceError('InternalFailure', cause instanceof Error ? cause.message : String(cause), 500);
  }
}

/** AWS JSON 1.0/1.1 error: `__type` and `message`, plus the query code for SDKs that still compare it. */
export function sendJsonError(res: ServerResponse, cause: unknown, namespace: string, version: '1.0' | '1.1' = '1.0'): void {
  const error = ServiceError.of(cause);
  const fault = error.status >= 500 ? 'Receiver' : 'Sender';
  send(
    res,
    error.status,
    {
      'content-type': `application/x-amz-json-${version}`,
      'x-amzn-requestid': uuid(),
      'x-amzn-query-error': `${error.queryCode};${fault}`,
    },
    JSON.stringify({ __type: `${namespace}#${error.code}`, message: error.message }),
  );
}

/** Query-protocol error of SQS, SNS and STS. */
export function sendQueryError(res: ServerResponse, cause: unknown, xmlns: string): void {
  const error = ServiceError.of(cause);
  const requestId = uuid();
  const body = element(
    'ErrorResponse',
    {
      Error: { Type: error.status >= 500 ? 'Receiver' : 'Sender', Code: error.queryCode, Message: error.message, Detail: '' },
      RequestId: requestId,
    },
    xmlns,
  );
  send(res, error.status, { 'content-type': 'text/xml', 'x-amzn-requestid': requestId }, body);
}
