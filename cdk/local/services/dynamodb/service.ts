import { Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import type { Environment, Worker } from '../../environment.ts';
import { sendJsonError } from '../../http/error.ts';
import { type Exchange, readBody, send } from '../../http/exchange.ts';
import type { Iam } from '../../iam/account.ts';
import { authorize } from './authorize.ts';
import { type DynamoDbProcess, startDynamoDbLocal } from './process.ts';

/** How DynamoDB Local calls the account and region of every table. */
const LOCAL_PREFIX = 'arn:aws:dynamodb:ddblocal:000000000000:';
/** DynamoDB Local only wants a well-formed header; it checks no signature, and refuses access keys with other characters. */
const AUTHORIZATION =
  'AWS4-HMAC-SHA256 Credential=local/20250101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0';
/** Operations that change items, after which streams may have something new. */
const WRITES = new Set([
  'PutItem',
  'UpdateItem',
  'DeleteItem',
  'BatchWriteItem',
  'TransactWriteItems',
  'ExecuteStatement',
  'BatchExecuteStatement',
  'ExecuteTransaction',
]);
/** Operations whose answers carry item data only: passed through as they come. All others are small and may name ARNs. */
const DATA = new Set([...WRITES, 'GetItem', 'Query', 'Scan', 'BatchGetItem', 'TransactGetItems']);

/** DynamoDB and its streams: DynamoDB Local behind the endpoint, with ARNs of this account and region. */
export class DynamoDbService implements Worker {
  readonly #env: Environment;
  readonly #agent = new Agent({ keepAlive: true });
  readonly #watchers = new Set<() => void>();
  #process: Promise<DynamoDbProcess> | null = null;
  #writing = 0;

  readonly #iam: Iam;

  constructor(env: Environment, iam: Iam) {
    this.#env = env;
    this.#iam = iam;
  }

  /** Starts DynamoDB Local if it does not run yet: a template without tables never pays for it. */
  start(): Promise<DynamoDbProcess> {
    this.#process ??= startDynamoDbLocal(this.#env.stateDir, (line) => this.#env.log(line));
    return this.#process;
  }

  async stop(): Promise<void> {
    const running = this.#process === null ? null : await this.#process.catch(() => null);
    await running?.stop();
    this.#agent.destroy();
  }

  busy(): string | null {
    return this.#writing === 0 ? null : `${this.#writing} DynamoDB write(s) under way`;
  }

  /** Calls `watcher` after every write to any table. */
  onWrite(watcher: () => void): void {
    this.#watchers.add(watcher);
  }

  /** One call from the engine itself. Throws with DynamoDB's own message. */
  async call(target: string, input: unknown): Promise<Record<string, unknown>> {
    const answer = await this.#forward(target, Buffer.from(this.#toLocal(JSON.stringify(input))));
    const text = this.#fromLocal((await readBody(answer)).toString('utf8'));
    const output = JSON.parse(text) as Record<string, unknown>;
    if (answer.statusCode !== 200)
      throw Object.assign(
        new Error(`DynamoDB ${target}: ${String(output.message ?? output.Message ?? output.__type ?? text)}`),
        {
          name: String(output.__type ?? 'Error').replace(/^.*#/, ''),
        },
      );
    return output;
  }

  /** Passes a request on. `target` is the whole X-Amz-Target. */
  async handle(exchange: Exchange, target: string): Promise<void> {
    const operation = exchange.operation ?? '';
    const isWrite = WRITES.has(operation);
    if (isWrite) this.#writing++;
    try {
      const body = await readBody(exchange.req);
      authorize(this.#iam, this.#env, exchange, body);
      const text = body.includes('arn:aws:dynamodb') ? Buffer.from(this.#toLocal(body.toString('utf8'))) : body;
      const answer = await this.#forward(target, text);
      const headers = { ...answer.headers };
      delete headers.connection;
      delete headers['keep-alive'];
      delete headers['transfer-encoding'];
      if (DATA.has(operation)) {
        exchange.res.writeHead(answer.statusCode ?? 500, headers);
        await new Promise<void>((resolve) => answer.pipe(exchange.res).once('close', resolve));
      } else {
        // The checksum is of the bytes before the ARNs were put right; clients take its absence.
        delete headers['x-amz-crc32'];
        delete headers['content-length'];
        const named = this.#fromLocal((await readBody(answer)).toString('utf8'));
        send(exchange.res, answer.statusCode ?? 500, headers as Record<string, string>, named);
      }
    } catch (cause) {
      sendJsonError(exchange.res, cause, 'com.amazonaws.dynamodb.v20120810');
    } finally {
      if (isWrite) {
        for (const watcher of this.#watchers) watcher();
        this.#writing--;
      }
    }
  }

  async #forward(target: string, body: Buffer): Promise<IncomingMessage> {
    const { port } = await this.start();
    return new Promise((resolve, reject) => {
      const outgoing = httpRequest({
        host: '127.0.0.1',
        port,
        method: 'POST',
        agent: this.#agent,
        headers: {
          'content-type': 'application/x-amz-json-1.0',
          'content-length': body.length,
          'x-amz-target': target,
          authorization: AUTHORIZATION,
        },
      });
      outgoing.once('response', resolve).once('error', reject);
      outgoing.end(body);
    });
  }

  get #prefix(): string {
    return `arn:aws:dynamodb:${this.#env.region}:${this.#env.accountId}:`;
  }

  #toLocal(text: string): string {
    return text.replaceAll(this.#prefix, LOCAL_PREFIX);
  }

  #fromLocal(text: string): string {
    return text.replaceAll(LOCAL_PREFIX, this.#prefix);
  }
}
