/** Response streaming: the global `awslambda` and the stream that a streaming handler writes to. */
import { Writable } from 'node:stream';
import { describeError } from './errors.mjs';

export const STREAMING = Symbol.for('aws.lambda.runtime.handler.streaming');
/** Between the JSON that describes an HTTP response and its body. */
const PRELUDE_END = Buffer.alloc(8);

const HttpResponseStream = {
  from(stream, metadata) {
    stream.setContentType('application/vnd.awslambda.http-integration-response');
    stream.setPrelude(Buffer.concat([Buffer.from(JSON.stringify(metadata)), PRELUDE_END]));
    return stream;
  },
};

globalThis.awslambda = {
  HttpResponseStream,
  streamifyResponse(handler) {
    handler[STREAMING] = 'response';
    return handler;
  },
};

/** `open(contentType)` starts the request to the Runtime API; it is called when the first byte is there. */
export class ResponseStream extends Writable {
  #open;
  #request;
  #contentType = 'application/octet-stream';
  #prelude;

  constructor(open) {
    super();
    this.#open = open;
  }

  setContentType(type) {
    if (this.#request !== undefined) throw new Error('Cannot set content-type, too late.');
    this.#contentType = type;
  }

  setPrelude(bytes) {
    this.#prelude = bytes;
  }

  write(chunk, ...rest) {
    const plain = typeof chunk === 'string' || chunk instanceof Uint8Array;
    return super.write(plain ? chunk : JSON.stringify(chunk), ...rest);
  }

  /** Ends the response, telling in its trailers that it failed. */
  fail(error) {
    const description = describeError(error);
    const request = this.#start();
    request.addTrailers({
      'Lambda-Runtime-Function-Error-Type': description.errorType,
      'Lambda-Runtime-Function-Error-Body': Buffer.from(JSON.stringify(description)).toString('base64'),
    });
    request.end();
    this.destroy();
  }

  _write(chunk, _encoding, done) {
    this.#start().write(chunk, done);
  }

  _final(done) {
    this.#start().end(done);
  }

  #start() {
    if (this.#request === undefined) {
      this.#request = this.#open(this.#contentType);
      if (this.#prelude !== undefined) this.#request.write(this.#prelude);
    }
    return this.#request;
  }
}
