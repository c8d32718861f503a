/**
 * What Lambda says when something goes wrong: as an HTTP error of the Invoke API, or as the payload of a failed invocation.
 * Texts and types as observed on AWS and in its Runtime Interface Emulator.
 */

/** An error answer of the Invoke API (not of the function). */
export class InvokeApiError extends Error {
  readonly status: number;
  readonly type: string;
  readonly body: Readonly<Record<string, string>>;

  constructor(status: number, type: string, message: string, extra: Readonly<Record<string, string>> = {}) {
    super(message);
    this.name = type;
    this.status = status;
    this.type = type;
    this.body = { ...extra, message, Message: message };
  }
}

export const functionNotFound = (arn: string): InvokeApiError =>
  new InvokeApiError(404, 'ResourceNotFoundException', `Function not found: ${arn}`, { Type: 'User' });

export const throttled = (reason: string): InvokeApiError =>
  new InvokeApiError(429, 'TooManyRequestsException', 'Rate Exceeded.', { Type: 'User', Reason: reason });

export const invalidPayload = (detail: string): InvokeApiError =>
  new InvokeApiError(400, 'InvalidRequestContentException', `Could not parse request body into json: ${detail}`, {
    Type: 'User',
  });

export const payloadTooLarge = (size: number, limit: number): InvokeApiError =>
  new InvokeApiError(
    413,
    'RequestTooLargeException',
    `${size} byte payload is too large for the Invoke operation (limit ${limit} bytes)`,
    { Type: 'User' },
  );

/** A function that this engine cannot run. Thrown by `LambdaService.add`. */
export class UnsupportedFunctionError extends Error {
  constructor(functionName: string, what: string) {
    super(`Lambda function "${functionName}": ${what}`);
    this.name = 'UnsupportedFunctionError';
  }
}

/** Why an instance could not finish an invocation or its init. `type` is Lambda's errorType. */
export interface Fault {
  readonly type: string;
  readonly message: string;
}

/** "exit status 1" or "signal: killed", from a shell's exit code. 129 is what Node's runtime exits with itself. */
export function describeExit(code: number): string {
  const name = SIGNALS[code - 128];
  return name === undefined ? `exit status ${code}` : `signal: ${name}`;
}
const SIGNALS: Readonly<Record<number, string>> = {
  2: 'interrupt',
  4: 'illegal instruction',
  6: 'aborted',
  7: 'bus error',
  8: 'floating point exception',
  9: 'killed',
  11: 'segmentation fault',
  13: 'broken pipe',
  15: 'terminated',
};

export const runtimeExited = (code: number): Fault => ({
  type: 'Runtime.ExitError',
  message:
    code === 0 ? 'Error: Runtime exited without providing a reason' : `Error: Runtime exited with error: ${describeExit(code)}`,
});

export const timedOut = (timeoutMs: number): Fault => ({
  type: 'Sandbox.Timedout',
  message: `Error: Task timed out after ${(timeoutMs / 1000).toFixed(2)} seconds`,
});

export const faultPayload = (requestId: string, fault: Fault): Buffer =>
  Buffer.from(JSON.stringify({ errorType: fault.type, errorMessage: `RequestId: ${requestId} ${fault.message}` }));
