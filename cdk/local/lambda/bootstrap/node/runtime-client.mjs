/** HTTP client of the Runtime API, over one kept-alive connection. */
import { Agent, request } from 'node:http';
import { ResponseStream } from './response-stream.mjs';

const BASE = '/2018-06-01/runtime';

export class RuntimeClient {
  #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  #host;
  #port;

  constructor(address) {
    const [host, port] = address.split(':');
    this.#host = host;
    this.#port = Number(port ?? 80);
  }

  async next() {
    const { headers, body } = await this.#send('GET', '/invocation/next');
    return {
      body,
      requestId: headers['lambda-runtime-aws-request-id'],
      deadlineMs: Number(headers['lambda-runtime-deadline-ms']),
      functionArn: headers['lambda-runtime-invoked-function-arn'],
      traceId: headers['lambda-runtime-trace-id'],
      clientContext: headers['lambda-runtime-client-context'],
    };
  }

  postResponse(requestId, body) {
    return this.#send('POST', `/invocation/${encodeURIComponent(requestId)}/response`, body);
  }

  postError(requestId, error) {
    return this.#sendError(`/invocation/${encodeURIComponent(requestId)}/error`, error);
  }

  postInitError(error) {
    return this.#sendError('/init/error', error);
  }

  /** A stream to write the response to, and a promise for the Runtime API's answer to it. */
  openResponse(requestId) {
    let response;
    const sent = new Promise((resolve, reject) => {
      response = new ResponseStream((contentType) => {
        const req = this.#request('POST', `/invocation/${encodeURIComponent(requestId)}/response`, {
          'Content-Type': contentType,
          'Transfer-Encoding': 'chunked',
          'Lambda-Runtime-Function-Response-Mode': 'streaming',
          Trailer: 'Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body',
        });
        req.on('error', reject);
        req.on('response', (res) => res.resume().on('end', resolve));
        req.flushHeaders();
        return req;
      });
    });
    return { response, sent };
  }

  #sendError(path, error) {
    return this.#send('POST', path, JSON.stringify(error), { 'Lambda-Runtime-Function-Error-Type': error.errorType });
  }

  #send(method, path, body, headers = {}) {
    return new Promise((resolve, reject) => {
      const length =
        body === undefined ? {} : { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) };
      const req = this.#request(method, path, { ...length, ...headers });
      req.on('error', reject);
      req.on('response', (res) => {
        const chunks = [];
        res.on('data', (chunk) => chunks.push(chunk));
        res.on('error', reject);
        res.on('end', () => resolve({ headers: res.headers, body: Buffer.concat(chunks).toString() }));
      });
      req.end(body);
    });
  }

  #request(method, path, headers) {
    return request({ host: this.#host, port: this.#port, agent: this.#agent, method, path: BASE + path, headers });
  }
}
