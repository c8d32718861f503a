import type { Findings } from './findings.ts';
import { at, type Json, text } from './json.ts';

/**
 * What Lambda tells a destination about an asynchronous invocation (or a failed batch), see "Retaining records of asynchronous
 * invocations" in Lambda's documentation: the id of the request whose outcome it is.
 */
export function isDestinationRecord(event: Json): boolean {
  const context = at(event, 'requestContext');
  return text(context.condition) !== undefined && text(context.functionArn) !== undefined;
}

/** @returns the function whose outcome it is. */
export function readDestinationRecord(event: Json, found: Findings): string | undefined {
  const context = at(event, 'requestContext');
  found.exact('outcome', context.requestId);
  return text(context.functionArn);
}

/** A dead-letter queue or topic gets the event itself; the failed request is named beside it, by an attribute `RequestID`. */
export function readDeadLetter(attributes: unknown, found: Findings): void {
  const id = at(attributes, 'RequestID');
  if (text(at(attributes, 'ErrorCode').stringValue ?? at(attributes, 'ErrorCode').Value) === undefined) return;
  found.exact('outcome', id.stringValue ?? id.Value);
}
