import { Agent, request } from 'node:http';
import { splitAddress } from './forward.ts';

/** What the platform tells an extension (Lambda Extensions API, 2020-01-01). Times in ms since 1970. */
export type ExtensionEvent =
  | {
      readonly eventType: 'INVOKE';
      readonly requestId: string;
      readonly deadlineMs: number;
      readonly invokedFunctionArn: string;
      readonly tracing?: { readonly type: string; readonly value: string };
    }
  | { readonly eventType: 'SHUTDOWN'; readonly shutdownReason: string; readonly deadlineMs: number };

export class ExtensionApiError extends Error {
  override readonly name = 'ExtensionApiError';
  readonly status: number;
  constructor(path: string, status: number, body: string) {
    super(`Extensions API ${path} answered ${status}: ${body.slice(0, 500)}`);
    this.status = status;
  }
}

/** Must be the file name under /opt/extensions: that is how the platform knows who registers. */
const NAME = 'alastor';

export class ExtensionApi {
  readonly #address: { readonly host: string; readonly port: number };
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  #identifier = '';

  /** @param address `host:port`, AWS_LAMBDA_RUNTIME_API */
  constructor(address: string) {
    this.#address = splitAddress(address);
  }

  /** @throws ExtensionApiError when the platform refuses */
  async register(events: readonly ExtensionEvent['eventType'][]): Promise<void> {
    const { headers } = await this.#call('POST', '/register', { 'Lambda-Extension-Name': NAME }, JSON.stringify({ events }));
    const identifier = headers['lambda-extension-identifier'];
    if (typeof identifier !== 'string') throw new ExtensionApiError('/register', 200, 'no Lambda-Extension-Identifier');
    this.#identifier = identifier;
  }

  /** Says that the extension is finished with the last event and waits for the next, for hours if need be. */
  async next(): Promise<ExtensionEvent> {
    const { body } = await this.#call('GET', '/event/next', { 'Lambda-Extension-Identifier': this.#identifier });
    return JSON.parse(body) as ExtensionEvent;
  }

  #call(method: string, path: string, headers: Record<string, string>, body?: string) {
    return new Promise<{ headers: NodeJS.Dict<string | string[]>; body: string }>((resolve, reject) => {
      const call = request({
        ...this.#address,
        method,
        path: `/2020-01-01/extension${path}`,
        headers: body === undefined ? headers : { ...headers, 'Content-Type': 'application/json' },
        agent: this.#agent,
        timeout: 0,
      });
      call.on('error', reject);
      call.on('response', (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString();
          const status = response.statusCode ?? 0;
          if (status === 200) resolve({ headers: response.headers, body: text });
          else reject(new ExtensionApiError(path, status, text));
        });
      });
      call.end(body);
    });
  }
}
