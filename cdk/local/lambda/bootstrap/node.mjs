/** The runtime client of the Node runtimes: asks the Runtime API for requests and runs the user's handler with them. */
import { patchConsole } from './node/console.mjs';
import { createContext } from './node/context.mjs';
import { describeError } from './node/errors.mjs';
import { loadHandler } from './node/load.mjs';
import { STREAMING } from './node/response-stream.mjs';
import { RuntimeClient } from './node/runtime-client.mjs';

const client = new RuntimeClient(process.env.AWS_LAMBDA_RUNTIME_API);
const logger = patchConsole();
/** What to do when the event loop runs empty although a request is being served. */
let onEmptyLoop = () => {};

process.on('beforeExit', () => onEmptyLoop());
for (const [event, title, code] of [
  ['uncaughtException', 'Uncaught Exception', 129],
  ['unhandledRejection', 'Unhandled Promise Rejection', 128],
]) {
  process.on(event, async (reason) => {
    const error = event === 'unhandledRejection' ? wrapRejection(reason) : reason;
    logger.error(title, error);
    if (logger.requestId !== undefined) await client.postError(logger.requestId, describeError(error)).catch(() => {});
    process.exit(code);
  });
}

let handler;
try {
  handler = await loadHandler(process.env.LAMBDA_TASK_ROOT, process.env._HANDLER);
} catch (error) {
  logger.error('Uncaught Exception', error);
  await client.postInitError(describeError(error));
  process.exit(1);
}

for (;;) {
  const request = await client.next();
  logger.requestId = request.requestId;
  process.env._X_AMZN_TRACE_ID = request.traceId ?? '';
  const context = createContext(request);
  try {
    if (handler[STREAMING] !== undefined) await stream(request, context);
    else await client.postResponse(request.requestId, serialize(await call(request, context)));
  } catch (error) {
    logger.error('Invoke Error', error);
    await client.postError(request.requestId, describeError(error));
  }
  onEmptyLoop = () => {};
}

/** Result of the handler, be it async or with a callback. */
function call(request, context) {
  return new Promise((resolve, reject) => {
    let isAsync = false;
    onEmptyLoop = () => (isAsync ? reject(exitedEarly()) : resolve(null));
    const whenDone = (settle, value) => {
      if (context.callbackWaitsForEmptyEventLoop) onEmptyLoop = () => settle(value);
      else settle(value);
    };
    const callback = (error, value) => (error ? whenDone(reject, asError(error)) : whenDone(resolve, value));
    context.done = callback;
    context.fail = (error) => callback(error ?? 'handled');
    context.succeed = (value) => callback(null, value);
    const result = handler(parse(request.body), context, callback);
    if (typeof result?.then === 'function') {
      isAsync = true;
      result.then(resolve, reject);
    }
  });
}

async function stream(request, context) {
  const { response, sent } = client.openResponse(request.requestId);
  onEmptyLoop = () => response.fail(exitedEarly());
  try {
    await handler(parse(request.body), response, context);
    // As in the real runtime, a handler that returned without ending its stream has ended it.
    if (!response.writableEnded) response.end();
  } catch (error) {
    logger.error('Invoke Error', error);
    response.fail(error);
  }
  await sent;
}

function parse(body) {
  return JSON.parse(body);
}

function serialize(value) {
  try {
    return JSON.stringify(value === undefined ? null : value);
  } catch (cause) {
    throw new Error('Unable to stringify response body', { cause });
  }
}

function asError(error) {
  return error instanceof Error ? error : new Error(typeof error === 'string' ? error : JSON.stringify(error));
}

function named(name, message) {
  const error = new Error(message);
  error.name = name;
  return error;
}

function exitedEarly() {
  return named('Runtime.NodeJsExit', 'The Lambda runtime client detected an unexpected Node.js exit code.');
}

function wrapRejection(reason) {
  const error = named('Runtime.UnhandledPromiseRejection', String(reason));
  error.reason = reason;
  return error;
}
